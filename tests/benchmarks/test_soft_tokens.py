"""The comparison of soft tokens: what stands in its table, and that what is done is not done again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import ecg_lm_ablations, ecg_lm_variants, soft_tokens
from hf_heartllm.evaluation.results import Result, read_results, write_results

WORDS = "classify, model: macro-AUROC, {}, yes/no, every record (5 of 5 classes occur); labels seen, {}"
TASKS = ("superclass", "rhythm", "form")
FILES = {"base": Path(), "encoder": Path(), "ptbxl": Path(), "rows": Path(), "soft_labels": Path()}


def measured(folder: Path, real: float) -> None:
    """What one run leaves behind when it is done."""
    for made in ("untrained", "trained/model"):
        (folder / made).mkdir(parents=True)
        (folder / made / "config.json").touch()
    rows = [
        Result(WORDS.format(task, condition), real if condition == "real ECG" else 0.5)
        for task in TASKS
        for condition in ("real ECG", "another patient's ECG", "no ECG")
    ]
    write_results(folder / "rows.json", rows)


def test_the_table_has_means_over_seeds_and_the_control(tmp_path, monkeypatch, capsys):
    for place in range(len(soft_tokens.KINDS)):
        for seed, value in ((1, 0.6), (2, 0.8)):
            measured(tmp_path / f"{place}-{seed}", value + place / 100)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in FILES.items()]
    options += [f"--output={tmp_path}", f"--results={tmp_path / 'found.json'}", "--seeds=1,2"]
    monkeypatch.setattr("sys.argv", ["soft_tokens.py", *options])
    monkeypatch.setattr(ecg_lm_variants, "_run", lambda *_: pytest.fail("what is done was done again"))
    assert soft_tokens.main() == 0
    assert "| 12, one a lead | 0.710 (0.610 to 0.810); 0.500 |" in capsys.readouterr().out
    found = {one.name: one for one in read_results(tmp_path / "found.json")}
    assert len(found) == len(soft_tokens.KINDS) * len(TASKS) * 2
    first = found[
        "soft tokens, 1 of the recording, as in the paper: macro-AUROC, rhythm, yes/no, every record, real ECG"
    ]
    assert first.value == pytest.approx(0.7)
    assert first.interval == pytest.approx((0.6, 0.8))
    monkeypatch.setattr("sys.argv", ["soft_tokens.py", *options, "--seeds=1"])
    (tmp_path / "0-1" / "rows.json").write_text("[]")
    assert soft_tokens.main() == 2
    assert "too few recordings of a class; give more --judged" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["soft_tokens.py", *options, "--steps=7"])
    assert soft_tokens.main() == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: was made with another --steps; give another --output\n"


def test_a_program_that_fails_is_named(tmp_path, monkeypatch, capsys):
    def fails(command, **_):
        raise subprocess.CalledProcessError(3, command)

    options = [f"--{name.replace('_', '-')}={value}" for name, value in FILES.items()]
    monkeypatch.setattr("sys.argv", ["soft_tokens.py", *options, f"--output={tmp_path}"])
    monkeypatch.setattr(subprocess, "run", fails)
    assert soft_tokens.main() == 3
    assert "error: training/make_ecg_lm.py --base" in capsys.readouterr().err


def test_an_ablation_leaves_out_one_part_each(tmp_path, monkeypatch):
    run: list[tuple[str, ...]] = []
    monkeypatch.setattr(ecg_lm_variants, "_run", lambda _, *words: run.append(tuple(map(str, words))))
    paths = {**FILES, "measurements": Path("measured.csv"), "output": tmp_path}
    settings = ecg_lm_ablations.Settings(**paths, seeds=(1,), steps=3, aligned_steps=2)
    programs = {}
    for name, variant in ecg_lm_ablations.variants_of(settings).items():
        run.clear()
        ecg_lm_variants.judge(settings, variant, tmp_path / name, seed=1)
        programs[name] = [*run]
    whole = programs["all parts"]
    assert [words[0] for words in whole[:3]] == [
        "training/make_ecg_lm.py", "training/align_ecg_lm.py", "training/finetune_ecg_lm.py"
    ]  # fmt: skip
    assert len(whole) == 4

    def changed(name: str) -> set[str]:
        flat, of_whole = (
            {word.replace(label, "") for words in one for word in words}
            for one, label in ((programs[name], name), (whole, "all parts"))
        )
        return flat ^ of_whole

    assert changed("encoder not trained before") == {"--new-encoder"}
    assert changed("no expansion") == {"data.dropped_share=0"}
    assert changed("LoRA in the language model too") == {ecg_lm_ablations.LORA}
    assert [words[0] for words in programs["no joint training"]] == [
        words[0] for words in whole if "align" not in words[0]
    ]
