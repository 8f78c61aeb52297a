"""The codes of every record of a data set in PTB-XL's layout as one `.npz` file, each record encoded once.

    python -m dataset_builders.token_archive --ptbxl DIR --codec DIR --folds 1-9 --output tokens.npz

The file holds `ecg_id` (records), `codes` uint16 (records, tokens) and `codec`, the codec's identity, so that tokens of
another codec cannot be mixed in unnoticed. Interrupted, it goes on from its last whole part when run again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

RECORDS_PER_PART = 256

_WORKER: dict = {}


def _start_worker(codec_folder: str) -> None:
    import torch

    from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
    from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel

    torch.set_num_threads(1)
    codec = ECGCodecModel.from_pretrained(codec_folder).eval()
    _WORKER.update(codec=codec, extractor=ECGFeatureExtractor.from_codec(codec.config))


def _encode_part(paths: Sequence[str]) -> np.ndarray:
    """First window of each record → uint16 (records, tokens)."""
    import torch

    from hf_heartllm.ecg import read_ecg

    features = np.stack([_WORKER["extractor"].extract(read_ecg(path))[0] for path in paths])
    return _WORKER["codec"].encode(torch.from_numpy(features))[:, 0].numpy().astype(np.uint16)


def _write_whole(path: Path, **arrays: np.ndarray) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part.npz")
    try:
        np.savez_compressed(temporary, **arrays)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _parts(
    paths: list[str], ids: list[int], scratch: Path, codec: str, workers: int, codec_folder: str
) -> Iterator[np.ndarray]:
    """The codes part by part, from disk where a former run wrote them."""
    from tqdm import tqdm

    starts = range(0, len(paths), RECORDS_PER_PART)
    names = [scratch / f"{codec}-{ids[start]:06d}-{RECORDS_PER_PART}.npz" for start in starts]
    open_parts = [i for i, name in enumerate(names) if not name.is_file()]
    if open_parts:
        context = multiprocessing.get_context("spawn")  # a forked worker would wait for threads it has not got
        jobs = [paths[starts[i] : starts[i] + RECORDS_PER_PART] for i in open_parts]
        with context.Pool(workers, _start_worker, (codec_folder,)) as pool:
            done = tqdm(pool.imap(_encode_part, jobs), total=len(jobs), unit="part", desc="encoding")
            for i, codes in zip(open_parts, done, strict=True):
                _write_whole(names[i], codes=codes)
    for name in names:
        yield np.load(name)["codes"]


def build(ptbxl: Path, codec_folder: Path, folds: Sequence[int], output: Path, sampling_rate: int, workers: int) -> int:
    """Encode the records of some folds and write the file; print what is left out. Returns the number of records.

    Raises:
        ValueError: if no record is long enough, or they are of several lengths.
    """
    from hf_heartllm.models.feature_extraction_ecg import ECGFeatureExtractor
    from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
    from hf_heartllm.training.recordings import header_facts, list_recordings, long_enough
    from hf_heartllm.training.stages import say_left_out, say_unread

    loaded = ECGCodecModel.from_pretrained(codec_folder)
    extractor, codec = ECGFeatureExtractor.from_codec(loaded.config), loaded.identity()
    every = list_recordings(ptbxl, folds, sampling_rate)
    recordings, lost, unread = long_enough(every, extractor)
    say_left_out(lost, len(every), "recordings")
    say_unread(unread)
    if not recordings:
        raise ValueError(f"{ptbxl}: none of {len(every)} recordings is long enough for the codec")
    lengths = {facts.seconds for one in recordings if (facts := header_facts(one.path)) is not None} - {None}
    if extractor.window_samples is None and len(lengths) > 1:
        raise ValueError(
            f"{ptbxl}: recordings of {min(lengths):g} to {max(lengths):g} s do not fit into one .npz, whose records "
            "have equally many codes; give a folder as --output"
        )
    scratch = output.with_name(output.name + ".parts")
    scratch.mkdir(parents=True, exist_ok=True)
    ids = [recording.ecg_id for recording in recordings]
    paths = [str(recording.path) for recording in recordings]
    codes = np.concatenate(list(_parts(paths, ids, scratch, codec, workers, str(codec_folder))))
    _write_whole(output, ecg_id=np.array(ids), codes=codes, codec=np.array(codec))
    for part in scratch.iterdir():
        part.unlink()
    scratch.rmdir()
    return len(ids)


def main(argv: list[str] | None = None) -> int:
    """Write the file. Returns the exit code: 2 for bad input, with one line on stderr."""
    from hf_heartllm.labels.ptbxl import folds

    parser = argparse.ArgumentParser(prog="python -m dataset_builders.token_archive", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ptbxl", required=True, type=Path, help="folder in PTB-XL's layout")
    parser.add_argument("--codec", required=True, type=Path, help="folder of the codec (`checkpoint/codec`)")
    parser.add_argument("--folds", type=folds, default=folds("1-9"), help="default: 1-9")
    parser.add_argument("--sampling-rate", type=int, choices=(100, 500), default=100, help="default: 100")
    parser.add_argument("--output", required=True, type=Path, help="file to write (.npz)")
    parser.add_argument(
        "--num-proc", dest="workers", type=int, default=os.cpu_count(), help="processes; default: one a core"
    )
    args = parser.parse_args(argv)
    try:
        count = build(args.ptbxl, args.codec, args.folds, args.output, args.sampling_rate, args.workers)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{args.output}: codes of {count} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
