"""`python -m hf_heartllm.cli`."""

import sys

from . import main

sys.exit(main())
