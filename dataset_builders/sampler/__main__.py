"""`python -m dataset_builders.sampler` goes on for one more version, and says what it is called now."""

import sys

from ..question_generator.__main__ import main

if __name__ == "__main__":
    print("dataset_builders.sampler is dataset_builders.question_generator now", file=sys.stderr)
    sys.exit(main())
