"""``python -m benchmark``: the same as ``dialbench``."""

import sys

from benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
