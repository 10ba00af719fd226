"""What hands did, in a terminal: the edit log, and two readers side by side."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari_breastpath.cli.terminal import complain

if TYPE_CHECKING:
    from napari_breastpath.edits import Entry
    from napari_breastpath.edits.compare import Comparison
    from napari_breastpath.results import Result

OK = 0
LOG_COLUMNS = ("number", "time", "action", "tool", "maker", "reader", "pixels", "seconds")
SHOWN = 10


def log(args: Namespace) -> int:
    """Print the edit log of a result, a line each."""
    from napari_breastpath.edits import read_log
    from napari_breastpath.results import load_result

    entries = read_log(load_result(args.result))
    if args.json:
        for entry in entries:
            print(entry.to_json())
    elif entries:
        print("\n".join(aligned([LOG_COLUMNS, *map(_log_row, entries)])))
    else:
        complain(f"{args.result}: nothing was edited")
    return OK


def _log_row(entry: Entry) -> tuple[str, ...]:
    action = f"{entry.action} of {entry.of}" if entry.of else entry.action
    head = (entry.number, entry.time[:19], action, entry.tool, entry.maker, entry.reader)
    return (*(str(value) or "-" for value in head), str(entry.pixels), f"{entry.seconds:.1f}")


def compare(args: Namespace) -> int:
    """Print how far two readers' corrections of one slide agree, and where they differ."""
    from napari_breastpath.edits import Corrections
    from napari_breastpath.edits.compare import compare_readers
    from napari_breastpath.results import load_result

    results = load_result(args.a), load_result(args.b)
    for each in results:
        Corrections.open(each)  # a crash may have left strokes that are not in the map
    found = compare_readers(*results)
    if args.json:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        print("\n".join(_comparison(found)))
    return OK


def _comparison(found: Comparison) -> Iterable[str]:
    from napari_breastpath.exchange.comparison import with_tumour

    for name, path, readers in zip("AB", found.paths, found.readers, strict=True):
        yield f"{name}              {path}, {', '.join(readers) or 'no reader named'}"
    for each in with_tumour(found):
        yield f"{each.class_name}"
        yield f"  Dice         {_figure(each.dice, '.3f')}"
        largest, most = _figure(each.hausdorff_um, ".0f"), _figure(each.hausdorff95_um, ".0f")
        yield f"  Hausdorff    {largest} µm, 95 % of outlines within {most} µm"
        yield "  area         A {:.3f} mm², B {:.3f} mm²".format(*each.area_mm2)
        yield "  longest      A {:.2f} mm, B {:.2f} mm (Feret)".format(*each.longest_feret_mm)
        if any(each.category):
            yield "  category     A {}, B {}".format(*each.category)
    table = found.differences
    yield f"{len(table)} differences, largest first (boxes in level-0 px)"
    rows = [_difference_row(row) for row in table.head(SHOWN).to_dict("records")]
    yield from aligned(rows)
    if len(table) > SHOWN:
        yield f"and {len(table) - SHOWN} more with --json"


def _difference_row(row: dict[Any, Any]) -> tuple[str, ...]:
    box = ",".join(f"{row[name]:.0f}" for name in ("x", "y", "width", "height"))
    return f"  {row['kind']}", str(row["class"]), f"{row['area_mm2']:.4f} mm²", box


def _figure(value: float, form: str) -> str:
    return "unknown" if value != value else format(value, form)


def warn_if_behind(result: Result) -> None:
    """Say on stderr where numbers are older than the last edits."""
    from napari_breastpath.analyses.by_hand import is_behind
    from napari_breastpath.edits import read_log

    if is_behind(result, read_log(result)):
        complain(f"{result.path}: edited since it was measured; run `breastpath measure` on it")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of words as lines with columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
