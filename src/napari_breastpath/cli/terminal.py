"""What a person at a terminal sees while slides are analysed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.progress import Progress

if TYPE_CHECKING:
    from napari_breastpath.results import Result

STEPS = 10
# A line every so much, bytes of a download mostly, where the whole is not known.
UNKNOWN_STEP = 100_000_000


class Reporter:
    """Shows progress: a bar on a terminal, a line every tenth of the way elsewhere.

    Parameters
    ----------
    name : str
        What the slide is called on screen.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None
        self._said: tuple[str, int] = ("", -1)

    def __call__(self, progress: Progress) -> None:
        """Take one step of progress."""
        if sys.stderr.isatty():
            self._draw(progress)
        else:
            self._say(progress)

    def close(self) -> None:
        """End the bar, if there is one."""
        if self._bar is not None:
            self._bar.close()

    def _draw(self, progress: Progress) -> None:
        from tqdm import tqdm

        text = f"{self._name}: {progress.stage}"
        if self._bar is None or self._bar.desc != text:
            self.close()
            unit = "B" if progress.stage == "download" else "tile"
            total = progress.total or None
            self._bar = tqdm(total=total, desc=text, unit=unit, unit_scale=True, leave=False)
            self._bar.desc = text
        self._bar.update(progress.done - self._bar.n)

    def _say(self, progress: Progress) -> None:
        done, total = progress.done, progress.total
        step = STEPS * done // total if total else done // UNKNOWN_STEP
        if (progress.stage, step) == self._said:
            return
        self._said = (progress.stage, step)
        line = f"{self._name}: {progress.stage}"
        if progress.stage == "download":
            line += f" {done / 1e6:.1f}{f' of {total / 1e6:.1f}' if total else ''} MB"
        if progress.stage == "inference":
            line += f" {progress.done}/{progress.total} tiles, {progress.tiles_per_s:.1f} tiles/s"
        print(line, file=sys.stderr, flush=True)


def millimetres(value: float | None) -> str:
    """Return a length as people read it."""
    return "none" if not value else f"{value:.2f} mm"


def by_hand(regions: Mapping[str, Any]) -> list[str]:
    """Return the line of the extent measured by hand, which stands beside the automatic one."""
    length = regions.get("manual_longest_feret_mm")
    if length is None:
        return []
    category = regions.get("manual_category")
    words = [f"{length:.2f} mm", *([category] if category else [])]
    reader = regions.get("manual_reader") or "no name given"
    return [f"by hand        {', '.join(words)} ({reader}, {str(regions['manual_time'])[:10]})"]


def summary(result: Result) -> list[str]:
    """Return the few lines that matter of a finished result."""
    record = result.record
    regions, tiles = record["regions"], record["tiles"]
    score = record["score"]["corrected"]
    lines = [
        f"result         {result.path}",
        f"status         {result.status}, {tiles['done']} tiles inferred, {tiles['failed']} unread",
        f"tissue         {record['tissue_area_mm2']:.2f} mm²",
        f"regions        {regions['count']}, {regions['total_area_mm2']:.3f} mm² in all",
        f"longest Feret  {millimetres(regions['longest_feret_mm'])}",
        *by_hand(regions),
        f"major axis     {millimetres(regions['slide_major_axis_mm'])} (moment axis)",
        f"score          {score['value']:.3f} ({score['name']})",
    ]
    if (predicted := score.get("predicted_major_axis_mm")) is not None:
        lines.append(f"predicted axis {predicted:.2f} mm (second stage)")
    if regions["category"]:
        lines.append(f"category       {regions['category']}")
    return lines + [f"warning        {text}" for text in record["warnings"]]


def plain(text: object) -> str:
    """Return somebody else's words as one line that no terminal obeys."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def complain(text: object) -> None:
    """Print one line on stderr."""
    print(text, file=sys.stderr, flush=True)
