"""Import time: `import napari_breastpath` and `breastpath --help` against a bare Python start.

python benchmarks/start.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from functools import partial

from by_turns import by_turns, options

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import napari_breastpath": [sys.executable, "-c", "import napari_breastpath"],
    "breastpath --help": [sys.executable, "-m", "napari_breastpath", "--help"],
}


def main() -> None:
    """Start every command by turns and print the medians beyond the bare start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = options(parser, rounds=3).rounds
    quietly = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    starts = {name: partial(quietly, command) for name, command in COMMANDS.items()}
    seconds = by_turns(starts, rounds, warm_up=0)
    bare = statistics.median(seconds["python"])
    print(f"bare Python: {bare * 1e3:.0f} ms")
    for name in list(COMMANDS)[1:]:
        print(f"{name}: +{(statistics.median(seconds[name]) - bare) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
