r"""Lower the ranks of an adapter that was trained, by its largest singular values.

    python training/shrink_adapter.py --model build/smollm2/tuned/model --output build/smollm2/small \
        --ranks '.*\.layers\.1[0-5]\..*=20'
"""

from __future__ import annotations

import argparse
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.models.adapter_checkpoint import ADAPTER_WEIGHTS
from hf_heartllm.training.adapter_ranks import lower_ranks
from hf_heartllm.training.stages import refuse


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is written; the options of this program are these fields.

    Attributes:
        model: checkpoint folder that holds an adapter, as `finetune.py` wrote it.
        output: folder to write; it must not be there.
        ranks: PATTERN=RANK of modules, with a comma between several; the first pattern that fits a module counts.
    """

    model: Path
    output: Path
    ranks: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Options)
    args = settings_of(Options, parser.parse_args())
    part = args.output.with_name(f".{args.output.name}.part")
    try:
        if args.output.exists():
            raise ValueError(f"--output {args.output} is there already")
        ranks = dict(map(_pattern_and_rank, args.ranks))
        if not (args.model / ADAPTER_WEIGHTS).is_file():
            raise ValueError(f"--model {args.model}: no adapter is there")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(args.model, part)
        gone = lower_ranks(part, ranks)
        part.replace(args.output)
    except (OSError, ValueError) as error:
        refuse(str(error).replace(str(part), str(args.model)))
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print(f"{args.output}: {gone:.1%} of the squared size of these modules' products is gone")


def _pattern_and_rank(text: str) -> tuple[str, int]:
    pattern, equals, rank = text.rpartition("=")
    if not equals or not rank.isdecimal():
        raise ValueError(rf"--ranks {text}: PATTERN=RANK, such as '.*\.layers\.1[0-5]\..*=20'")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"--ranks {text}: {pattern} is no regular expression ({error})") from None
    return pattern, int(rank)


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "shrink_adapter"))
