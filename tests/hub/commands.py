"""Run as a program: command lines of `heartllm`, one a line of JSON on stdin; what each gave, one a line on stdout.

Words such as HF_TOKEN=x in front of a command set variables that the clients read when they are asked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys


def main() -> None:
    """Run them in this process, which is not offline as the tests' own is."""
    from hf_heartllm import cli

    for line in sys.stdin:
        words = json.loads(line)
        while "=" in words[0]:
            os.environ.update([words.pop(0).split("=", 1)])
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(words)
            except SystemExit as error:
                code = int(error.code or 0)
        print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)


if __name__ == "__main__":
    main()
