"""`heartllm push REPO [FOLDER]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.checkpoint_files import find_checkpoint
from .common import UsageError, add_json_argument, add_quiet_argument, print_json, print_notice, tell, told_when_slow

if TYPE_CHECKING:
    from ..hub.push_plan import PushPlan

HELP = "Put a checkpoint, a codec, an adapter or a token set on the Hugging Face Hub, privately, in one commit."
EXAMPLES = (
    "heartllm push user/heartllm-tiny heartllm-tiny --dry-run",
    "heartllm push user/my-model runs/mine/model",
    "heartllm push user/my-tokens build/tokens --made-from ptb-xl --public",
)
SOURCES = ("ptb-xl", "ecg-qa", "challenge-2021", "mimic-iv-ecg", "simulated")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("repo", metavar="REPO", help="repository on the Hub, OWNER/NAME (NAME: of the token's owner)")
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default=".",
        help="what to push, or the name of a checkpoint that the package ships (default: the working folder)",
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would go up and its size; send nothing")
    parser.add_argument("--public", action="store_true", help="a repository that all can see (default: private)")
    parser.add_argument("--message", metavar="TEXT", help="message of the commit")
    parser.add_argument("--revision", metavar="BRANCH", help="branch to push to (default: main)")
    group = parser.add_argument_group("token sets and other rows")
    group.add_argument(
        "--made-from",
        action="append",
        default=[],
        metavar="NAME",
        help=f"what they were made from, whose terms go along ({', '.join(SOURCES)}); may be repeated",
    )
    group.add_argument(
        "--license", metavar="ID", help="licence of recordings that are none of these, such as cc-by-4.0"
    )
    group.add_argument("--attribution", metavar="TEXT", help="whom to credit for these")
    group.add_argument("--waveforms", action="store_true", help="send signals too, where the licence allows")
    group.add_argument(
        "--ids",
        choices=("salted", "none"),
        default="salted",
        help="ids of records: hashed with a key that is thrown away, or left out (default: %(default)s)",
    )
    add_json_argument(parser)
    add_quiet_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Push, or say what a push would send."""
    folder = Path(os.fspath(find_checkpoint(args.folder)))
    if not folder.is_dir():
        raise UsageError(f"{args.folder}: {'a file; give its folder' if folder.exists() else 'no such folder'}")
    from ..hub.push_plan import check_secrets, in_words
    from ..hub.transfer import check_repo_id, push, show_progress

    check_repo_id(args.repo)
    with tempfile.TemporaryDirectory(prefix="heartllm-push-") as scratch:
        with told_when_slow(f"looking through {args.folder} …", args.quiet):
            plan = _plan(args, folder, Path(scratch))
            check_secrets(plan.files, folder)
        if args.dry_run:
            _show(args, plan, None)
            return
        if not args.quiet and not args.json:
            for note in plan.notes:
                tell(note)
        show_progress(not args.quiet)
        done = push(plan, folder, args.repo, public=args.public, message=args.message, revision=args.revision)
        commit = done.commit[:12]
        seen = "private" if done.private else "public"
        if args.json:
            _show(
                args,
                plan,
                {"url": done.url, "private": done.private, "commit": done.commit, "deleted": list(done.deleted)},
            )
            return
        print(f"{done.url}: {plan.what}, {len(plan.files)} files, {in_words(plan.size)}, {seen}, commit {commit}")
    if done.deleted:
        print(f"deleted there, as older: {', '.join(done.deleted)}")
    print_notice()


def _plan(args: argparse.Namespace, folder: Path, scratch: Path) -> PushPlan:
    from ..hub.checkpoint_push import is_checkpoint, plan_checkpoint
    from ..hub.token_set_push import TokenSetOptions, is_token_set, plan_token_set

    options = TokenSetOptions(tuple(args.made_from), args.license, args.attribution, args.waveforms, args.ids)
    if is_checkpoint(folder):
        if options != TokenSetOptions():
            raise UsageError(f"{args.folder}: a checkpoint; --made-from, --license and the like are about token sets")
        return plan_checkpoint(folder, args.repo)
    if is_checkpoint(folder / "model"):
        raise UsageError(f"{args.folder}: no checkpoint; {Path(args.folder) / 'model'} is one")
    if is_token_set(folder):
        return plan_token_set(folder, args.repo, options, scratch)
    raise UsageError(
        f"{args.folder}: not a checkpoint (config.json with *.safetensors, an adapter, a tokenizer with its codec) and "
        "no data set (*.parquet)"
    )


def _show(args: argparse.Namespace, plan: PushPlan, done: dict[str, object] | None) -> None:
    from ..hub.push_plan import in_words

    if args.json:
        facts = {
            "repository": args.repo,
            "what": plan.what,
            "kind": plan.kind,
            "private": not args.public,
            "files": [{"path": file.path, "bytes": file.size} for file in plan.files],
            "bytes": plan.size,
            "left_out": [{"name": name, "why": why} for name, why in plan.left_out],
            "notes": plan.notes,
        }
        print_json({**facts, "pushed": done})
        return
    print(f"{plan.what} → {args.repo} ({'public' if args.public else 'private'}), nothing was sent")
    code = [file for file in plan.files if file.path.endswith(".py")]
    rows = [(in_words(file.size), file.path) for file in plan.files if file not in code]
    if code:
        rows.append((in_words(sum(file.size for file in code)), f"{len(code)} files of code, {code[0].path} …"))
    for size, name in rows:
        print(f"  {size:>8}  {name}")
    print(f"  {in_words(plan.size):>8}  in all, {len(plan.files)} files")
    reasons: dict[str, list[str]] = {}
    for name, why in plan.left_out:
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        print(f"stays here, {why}: {', '.join(names)}")
    for note in plan.notes:
        print(note)
    print_notice()
