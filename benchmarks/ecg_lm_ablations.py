"""What each part of ECG-LM's training is worth: the ablations of the paper's Table 5, over seeds, before text-tiny.

    python benchmarks/ecg_lm_ablations.py --base hf_heartllm/checkpoints/text-tiny \\
        --encoder build/ecg-lm/encoder/model --ptbxl build/ptb-xl --rows build/rows.parquet \\
        --soft-labels build/soft_labels.parquet --measurements build/measurements.csv --output build/ecg-lm-ablations

The paper leaves out the encoder's own training, the expansion (leads dropped from text and signal of the joint
training), and takes another language model. Here the first two are left out in turn, then the whole joint training;
and with LoRA the language model learns too, where it stays as it is otherwise. Another language model is another
checkpoint (docs/ecg-lm.md). Each is asked about recordings of a fold that nothing of it was trained on.

Everything is kept in --output: run again, it goes on where it stopped. Prints a table of the means over the seeds and
writes benchmarks/results/ecg_lm_ablations.json once every variant has every seed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.ecg_lm_variants import YES_NO, Comparison, Variant, compare, words_of_seeds  # noqa: E402
from hf_heartllm.arguments import add_options, given_options, settings_of  # noqa: E402

FIRST = "ECG-LM"
RECORDS = 8
"""Of a step."""
LETTERS = "superclass, letter choice, records with one class"
COLUMNS = {
    "superclass": YES_NO.format("superclass"),
    "rhythm": YES_NO.format("rhythm"),
    "form": YES_NO.format("form"),
    "diagnostic accuracy": f"accuracy, {LETTERS}",
    "diagnostic F1": f"F1 of macro precision and macro recall, {LETTERS}",
}
LORA = "lora={r: 16, lora_alpha: 16, lora_dropout: 0.0}"
TOKENS = ("--projector", "record", "--ecg-tokens", "16")


@dataclass(frozen=True, kw_only=True)
class Settings(Comparison):
    """What is compared; what it is judged on is said at `Comparison`. The language model is saved with each variant.

    Attributes:
        measurements: CSV table of dataset_builders.measurements.
        aligned_steps: of the joint training, `RECORDS` recordings each.
        steps: of the questions behind it.
        results: results file to write.
    """

    measurements: Path
    aligned_steps: int = 400
    steps: int = 800
    results: Path = REPOSITORY / "benchmarks" / "results" / "ecg_lm_ablations.json"


def variants_of(settings: Settings) -> dict[str, Variant]:
    """The whole training, and what lacks one part of it or has one more."""
    same = (f"training.per_device_train_batch_size={RECORDS}", "training.warmup_steps=20", "training.save_steps=100")
    tuned = ("finetune_ecg_lm_tiny", *same, f"training.max_steps={settings.steps}")
    aligned = (*same, f"training.max_steps={settings.aligned_steps}")
    made = ("--encoder", str(settings.encoder.absolute()), *TOKENS)
    every = {
        "all parts": Variant(made, tuned, aligned),
        "encoder not trained before": Variant((*made, "--new-encoder"), tuned, aligned),
        "no expansion": Variant(made, tuned, (*aligned, "data.dropped_share=0")),
        "no joint training": Variant(made, tuned),
        "LoRA in the language model too": Variant(made, (*tuned, LORA), aligned),
    }
    return {name: replace(one, measurements=settings.measurements) for name, one in every.items()}


def main() -> int:
    """Train and judge what is not there yet. Returns the exit code, that of the first program that fails."""
    parser = argparse.ArgumentParser(prog="python benchmarks/ecg_lm_ablations.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    facts = {
        "command": f"python benchmarks/ecg_lm_ablations.py {given_options(settings)}",
        "data": f"{settings.judged} records of fold {settings.fold}, trained on {settings.aligned_steps * RECORDS} and "
        f"{settings.steps * RECORDS} of folds {settings.training_folds}; {words_of_seeds(settings.seeds)}",
    }
    return compare(settings, variants_of(settings), FIRST, COLUMNS, facts, settings.results)


if __name__ == "__main__":
    raise SystemExit(main())
