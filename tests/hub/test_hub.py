"""To the Hub and back, with the clients that are installed and a Hub on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load, load_file

from hf_heartllm.models.notice import NOTICE
from tests.hub.loopback import TOKENS, serve

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def run(program: str, *arguments: Any, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of this folder in a process of its own."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1500, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def near(found: Any, expected: Any) -> bool:
    """Equal, and numbers to three decimals."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(near, found, expected))
    return bool(found == pytest.approx(expected, abs=1e-3) if isinstance(expected, float) else found == expected)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Hub with one of everything, and what was pushed."""
    out = tmp_path_factory.mktemp("pushed")
    with serve() as hub:
        run("pushing.py", out, env=hub.environment(out / "home", PYTHONPATH=str(ROOT)))
        expected = json.loads((out / "expected.json").read_text())
        yield SimpleNamespace(hub=hub, out=out, expected=expected)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", ["without", "with"])
def test_what_was_pushed_is_loaded_from_the_network_and_then_from_the_cache(pushed, way, tmp_path):
    # the second push of the tokenizer belongs to the older revision
    old = next(one.sha for one in pushed.hub.commits("user/heartllm")[1:])
    calibrated = pushed.hub.commits("user/tiny")[2].sha
    environment = pushed.hub.environment(tmp_path / "home", **({"PYTHONPATH": str(ROOT)} if way == "with" else {}))
    if way == "without":
        environment.pop("PYTHONPATH", None)
    for offline in ({}, {"HF_HUB_OFFLINE": "1"}):
        (pushed.out / "found.json").unlink(missing_ok=True)
        asked = len(pushed.hub.requests)
        run("loading.py", way, pushed.out, old, calibrated, env=environment | offline, cwd=tmp_path)
        found = json.loads((pushed.out / "found.json").read_text())
        assert found.pop("ours") == (way == "with")
        assert set(found) == set(pushed.expected)
        for name, value in pushed.expected.items():
            assert near(found[name], value), (name, offline)
        assert not offline or len(pushed.hub.requests) == asked


@pytest.mark.slow
def test_the_same_weights_keep_card_licence_and_calibration_in_one_commit(pushed):
    shipped = ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny"
    tokenizer, model, again, _ = pushed.hub.commits("user/tiny")
    assert b"written by push_to_hub of hf_heartllm" in tokenizer.files["README.md"]
    for name in ("README.md", "LICENSE", "calibration.json", "questions.json", "codec.png"):
        assert model.files[name] == again.files[name] == (shipped / name).read_bytes(), name
    assert model.files["model.safetensors"] == again.files["model.safetensors"]
    weights, stored = load(model.files["model.safetensors"]), load_file(shipped / "model.safetensors")
    assert weights.keys() == stored.keys()
    assert all(torch.equal(weights[name], stored[name].float()) for name in stored)  # as they were loaded
    assert set(tokenizer.files) < set(model.files) == set(again.files)


@pytest.mark.slow
def test_other_weights_keep_licence_and_attribution_without_the_figures(pushed):
    before, commit = pushed.hub.commits("user/trained")
    outdated = {"calibration.json", "questions.json", "EVALUATION.md", ".eval_results/questions.yaml"}
    assert outdated <= set(before.files)
    assert not outdated & set(commit.files)
    card = commit.files["README.md"].decode()
    assert "LICENSE" in commit.files
    assert "license: cc-by-4.0" in card
    assert "Wagner" in card
    assert NOTICE in card
    assert "exact match" not in card
    for name in ("user/heartllm", "user/tokenizer", "user/codec", "user/ecg-lm"):
        card = pushed.hub.files(name)["README.md"].decode()
        assert all(said in card for said in (NOTICE, "## Licence")), name
        assert "automatically generated" not in card, name


@pytest.mark.slow
def test_nothing_that_was_pushed_names_a_folder_or_a_token(pushed):
    secrets = [str(pushed.out), str(ROOT), str(Path.home()) + "/", *TOKENS]
    files = {
        (name, path): content
        for (_, name), repository in pushed.hub.repositories.items()
        for commit in repository.commits.values()
        for path, content in commit.files.items()
    }
    files |= {("sent", str(number)): body for number, body in enumerate(pushed.hub.bodies)}
    for where, content in files.items():
        assert not [secret for secret in secrets if secret.encode() in content], where


@pytest.mark.slow
def test_the_walk_through_runs_as_it_stands(tmp_path):
    (tmp_path / "dataset_builders").symlink_to(ROOT / "dataset_builders")
    with serve() as hub:
        run("page.py", "docs/hub.md", env=hub.environment(tmp_path / ".home", PYTHONPATH=str(ROOT)), cwd=tmp_path)
        assert hub.repository("user/heartllm-tiny").private
        shipped = ROOT / "hf_heartllm" / "checkpoints" / "heartllm-tiny"
        names = ("README.md", "LICENSE", "calibration.json", "model.safetensors", "codec/model.safetensors")
        for name in names:
            assert hub.files("user/heartllm-tiny")[name] == (tmp_path / "fetched" / name).read_bytes(), name
            assert hub.files("user/heartllm-tiny")[name] == (shipped / name).read_bytes(), name
        assert len(hub.commits("user/heartllm-tiny")) == 1
        assert "user/my-tokens" in {name for kind, name in hub.repositories if kind == "datasets"}
