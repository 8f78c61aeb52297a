"""Reading, simulating and drawing need no torch, and importing them loads neither wfdb nor matplotlib."""

from __future__ import annotations

import subprocess
import sys


def test_the_room_is_light() -> None:
    code = "import sys, hf_heartllm.ecg; print(*sorted({'torch', 'wfdb', 'matplotlib'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
