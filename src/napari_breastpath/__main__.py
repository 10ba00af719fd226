"""`python -m napari_breastpath` is the `breastpath` command."""

import sys

from napari_breastpath.cli import main

if __name__ == "__main__":
    sys.exit(main())
