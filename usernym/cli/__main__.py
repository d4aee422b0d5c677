"""`python -m usernym.cli`: the command line."""

import sys

from usernym.cli import main

if __name__ == "__main__":
    sys.exit(main())
