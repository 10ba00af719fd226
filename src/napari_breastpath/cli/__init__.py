"""The `breastpath` command: parse, call, print."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from napari_breastpath.cli.parser import build_parser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default `sys.argv[1:]`.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that cannot show µ shows an escape
            stream.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    from napari_breastpath.cli import commands

    if args.debug:
        return commands.COMMANDS[args.command](args)
    return commands.run(args)
