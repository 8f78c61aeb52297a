"""The held-out evaluation of a checkpoint: exact match and AUROC on real ECGs, beside another patient's and none.

python -m dataset_builders.evaluation_questions --ptbxl DIR --folds 9 --output build/fold9.parquet
python benchmarks/heldout.py --ptbxl DIR --questions build/fold9.parquet
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint folder (default: the embedded one)")
    parser.add_argument("--questions", required=True, help="Parquet file of dataset_builders.evaluation_questions")
    parser.add_argument("--ptbxl", help="folder of PTB-XL; not needed with --tokens")
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100, help="Hz of the records; default: 100")
    parser.add_argument("--tokens", help="folder of dataset_builders.ecg_tokens, made with the checkpoint's own codec")
    parser.add_argument("--folder", default="build/heldout", help="partial results; default: build/heldout")
    parser.add_argument("--results", default=str(REPOSITORY / "benchmarks/results/path.json"), help="results file")
    parser.add_argument("--limit", type=int, help="only the first records; nothing is written to the results file")
    parser.add_argument("--device", default="cpu", help="default: cpu")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if not args.ptbxl and not args.tokens:
        parser.error("give --ptbxl or --tokens")
    return args


def main(argv: list[str] | None = None) -> int:
    """Evaluate, print the table and write the results. Returns the exit code."""
    args = parse(argv)
    from hf_heartllm.evaluation import heldout
    from hf_heartllm.evaluation.heldout_figures import figures, table
    from hf_heartllm.evaluation.results import current_commit, machine_words, write_result_rows
    from hf_heartllm.models.modeling_heartllm import HeartLLMForCausalLM
    from hf_heartllm.models.pipeline_ecg import default_checkpoint
    from hf_heartllm.models.tokenization_heartllm import ECGTokenizer

    source = args.model or default_checkpoint()
    tokenizer = ECGTokenizer.from_pretrained(source)
    model = HeartLLMForCausalLM.from_pretrained(source).to(args.device)
    records = heldout.read_questions(args.questions)[: args.limit]
    if args.tokens:
        from hf_heartllm.data.token_file import load_codes

        try:
            codes = load_codes(args.tokens, tokenizer.codec.fingerprint())
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        absent = [record.ecg_id for record in records if record.ecg_id not in codes]
        if absent:
            print(f"error: {args.tokens}: no codes of ecg_id {absent[0]} ({len(absent)} are missing)", file=sys.stderr)
            return 2

        def cached(record: heldout.HeldOutRecord) -> list[int]:
            return tokenizer.codes_to_ids(codes[record.ecg_id].astype(int).tolist())

        ecg_ids: Callable[[heldout.HeldOutRecord], list[int]] = cached
    else:
        ecg_ids = heldout.record_reader(tokenizer, args.ptbxl, args.rate)
    try:
        outcomes = heldout.evaluate(model, tokenizer, records, ecg_ids, args.folder, seed=args.seed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = figures(heldout.tabulate(records, outcomes), resamples=args.resamples, seed=args.seed)
    print(table(found))
    if args.limit is None:
        # paths of this machine say nothing to others: the command as they would type it
        source = "--tokens FILE" if args.tokens else "--ptbxl DIR"
        command = f"python benchmarks/heldout.py {source} --questions {shlex.quote(Path(args.questions).name)}"
        rate = f"{args.rate} Hz" if not args.tokens else "cached tokens"
        data = f"PTB-XL 1.0.3, {Path(args.questions).stem}, {rate}, {len(records)} records"
        commit, machine = current_commit(REPOSITORY), machine_words()
        rows = [figure.row(data=data, command=command, commit=commit, machine=machine) for figure in found]
        write_result_rows(args.results, rows)
        print(f"written to {args.results}")
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    sys.exit(run_interruptible(main, "heldout"))
