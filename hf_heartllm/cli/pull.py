"""`heartllm pull REPO [DIR]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import add_json_argument, add_quiet_argument, print_json, print_notice, tell

HELP = "Fetch a checkpoint or a data set from the Hugging Face Hub into a folder."
EXAMPLES = (
    "heartllm pull user/heartllm-tiny",
    "heartllm pull user/my-tokens build/tokens --revision v1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("repo", metavar="REPO", help="repository on the Hub, OWNER/NAME")
    parser.add_argument("directory", metavar="DIR", nargs="?", help="folder to write (default: ./NAME)")
    parser.add_argument("--revision", metavar="REV", help="a branch, a tag or a commit (default: main)")
    parser.add_argument("--force", action="store_true", help="replace DIR although it holds something")
    add_json_argument(parser)
    add_quiet_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Fetch."""
    from ..hub.transfer import check_repo_id, pull, show_progress

    check_repo_id(args.repo)
    target = Path(args.directory or args.repo.rpartition("/")[2])
    show_progress(not args.quiet)
    done = pull(args.repo, target, revision=args.revision, force=args.force)
    if done.left_out and not args.quiet:
        tell(f"not fetched, since they may run what they hold: {', '.join(done.left_out)}")
    if args.json:
        facts = {"repository": args.repo, "directory": str(target), "kind": done.kind, "commit": done.commit}
        print_json({**facts, "left_out": list(done.left_out), "code": done.code})
        return
    print(f"{target}: {done.kind} {args.repo} at {done.commit[:12]}")
    if done.code:
        print("it holds Python code, which runs only where trust_remote_code=True is said")
    print_notice()
