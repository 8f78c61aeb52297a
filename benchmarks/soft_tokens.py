"""How many soft tokens an ECG needs before a frozen language model, and of what they should be made.

    python benchmarks/soft_tokens.py --base build/smollm2-text --encoder build/ecg-lm/encoder/model \\
        --ptbxl build/ptb-xl --rows build/rows.parquet --soft-labels build/soft_labels.parquet \\
        --output build/soft-tokens

ECG-LM's paper puts one soft token of the whole recording before its language model. Here stand beside it one token a
lead, tokens along time, more tokens of the whole recording, and, with --measurements, one token with the measured
numbers behind it as text. Each is put before the same frozen language model behind the same frozen encoder by
training/make_ecg_lm.py, is trained by training/finetune_ecg_lm.py on the same draws of yes/no statements, and is judged
by its answers (`heartllm evaluate classify`) on recordings of a fold that neither was trained on. The language model
should know beforehand how to look an answer up (docs/ecg-lm.md): one that does not learns nothing of any kind in the
time that this takes.

Everything is kept in --output: run again, it goes on where it stopped. Prints a table of the means over the seeds and
writes benchmarks/results/soft_tokens.json once every kind has every seed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.ecg_lm_variants import YES_NO, Comparison, Variant, compare, words_of_seeds  # noqa: E402
from hf_heartllm.arguments import add_options, given_options, settings_of  # noqa: E402

KINDS = {
    "1 of the recording, as in the paper": ("--projector", "record", "--ecg-tokens", "1"),
    "12, one a lead": ("--projector", "leads"),
    "16 along time": ("--projector", "time", "--ecg-tokens", "16"),
    "32 along time": ("--projector", "time", "--ecg-tokens", "32"),
    "32 of the recording": ("--projector", "record", "--ecg-tokens", "32"),
}
MEASURED = "1 of the recording, and measured numbers"
FIRST = "soft tokens"
RECORDS = 8
"""Of a step."""
STATEMENTS_ALONE = (
    "data.others=null", "data.report_share=0", "data.letters_share=0", "data.incomplete_share=0",
    "data.max_questions=1", "data.statements.questions=5", "data.statements.terse=6",
    "data.statements.plain_share=1.0", "data.statements.explained_share=0", "frozen_encoder=true",
    f"training.per_device_train_batch_size={RECORDS}", "training.warmup_steps=10", "training.save_steps=50",
)  # fmt: skip
"""What differs from finetune_ecg_lm_smollm2.yaml: yes/no alone, which shows soonest what the soft tokens hold."""


@dataclass(frozen=True, kw_only=True)
class Settings(Comparison):
    """What is compared; what it is judged on is said at `Comparison`. The language model and the encoder are frozen.

    Attributes:
        measurements: CSV table of dataset_builders.measurements; None: the kind with measured numbers is left out.
        steps: of training, `RECORDS` recordings each.
        results: results file to write.
    """

    measurements: Path | None = None
    steps: int = 100
    results: Path = REPOSITORY / "benchmarks" / "results" / "soft_tokens.json"


def kinds_of(settings: Settings) -> dict[str, Variant]:
    """What is compared: the same training behind every kind of soft token."""
    kinds = dict(KINDS)
    if settings.measurements is not None:
        kinds[MEASURED] = (*kinds["1 of the recording, as in the paper"], "--measured-text")
    tuned = ("finetune_ecg_lm_smollm2", *STATEMENTS_ALONE, f"training.max_steps={settings.steps}")
    before = ("--base-name", "base", "--encoder", str(settings.encoder.absolute()))
    return {
        kind: Variant((*before, *options), tuned, measurements=settings.measurements) for kind, options in kinds.items()
    }


def main() -> int:
    """Train and judge what is not there yet. Returns the exit code, that of the first program that fails."""
    parser = argparse.ArgumentParser(prog="python benchmarks/soft_tokens.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    facts = {
        "command": f"python benchmarks/soft_tokens.py {given_options(settings)}",
        "data": f"{settings.judged} records of fold {settings.fold}, trained on {settings.steps * RECORDS} of folds "
        f"{settings.training_folds}; {words_of_seeds(settings.seeds)}",
    }
    columns = {task: YES_NO.format(task) for task in settings.tasks}
    return compare(settings, kinds_of(settings), FIRST, columns, facts, settings.results)


if __name__ == "__main__":
    raise SystemExit(main())
