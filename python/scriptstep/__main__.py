"""`python -m scriptstep` is `scriptstep`."""

from __future__ import annotations

import sys

from scriptstep.cli import main

if __name__ == "__main__":
    sys.exit(main())
