"""Regions that follow edits: of a changed window, only the regions touching it are measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.scanning import ClassRuns, components_of, joined_runs
from napari_breastpath.measure import Around, Columns, Ellipse, Frame, Runs, moment_ellipse
from napari_breastpath.measure.runs import joined
from napari_breastpath.measure.values import RunValues

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels of a map: rows and columns, half open."""

    rows: slice
    columns: slice

    def near(self, runs: Runs, reach: int = 1) -> BoolArray:
        """Tell which runs lie in the window grown by `reach` pixels."""
        top, bottom = self.rows.start - reach, self.rows.stop + reach
        left, right = self.columns.start - reach, self.columns.stop + reach
        found = np.zeros(len(runs), dtype=bool)
        some = runs.within(slice(top, bottom))
        found[some] = (runs.start[some] < right) & (runs.end[some] > left)
        return found

    def holds_row(self, runs: Runs) -> BoolArray:
        """Tell which runs lie in the window's rows."""
        found = np.zeros(len(runs), dtype=bool)
        found[runs.within(self.rows)] = True
        return found


def spliced(old: Runs, fresh: Runs, window: Window) -> Runs:
    """Return runs of a raster of which the rows of a window now have the runs `fresh`."""
    before, after = (old.within(slice(*ends)) for ends in _outside(old, window))
    return joined([old.take(before), fresh, old.take(after)], old.shape)


def _outside(runs: Runs, window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, window.rows.start), (window.rows.stop, runs.shape[0])


@dataclass(frozen=True, slots=True)
class MeasuredClass:
    """The regions of one class.

    Attributes
    ----------
    found : ClassRuns
        In raster order, labelled 1, 2, … by region.
    columns : Columns
        Measurements, row k for label k + 1.
    """

    found: ClassRuns
    columns: Columns

    @classmethod
    def of(cls, found: ClassRuns, frame: Frame, around: Around) -> MeasuredClass:
        """Measure all regions."""
        components, columns = components_of(found, frame, around)
        return cls(ClassRuns(components.runs, found.values), columns)

    def edited(
        self,
        window: Window,
        fresh: Runs,
        values: Callable[[Runs], RunValues],
        frame: Frame,
        around: Around,
    ) -> MeasuredClass:
        """Return the regions after an edit; only those that touch the window are measured.

        Parameters
        ----------
        window : Window
            Outside of it, no pixel changed.
        fresh : Runs
            The class's runs in the window's rows, over the map's whole width.
        values : callable
            Returns the probabilities along runs in the window's rows.
        frame, around
            As they are now.
        """
        runs = self.found.runs
        near = window.near(runs)
        touched = np.zeros(len(self.columns["first"]) + 1, dtype=bool)
        touched[runs.label[near]] = True
        # Runs that do not reach the window are in its rows what they were.
        gone = near & window.holds_row(runs)
        changed = fresh.take(window.near(fresh))
        again = touched[runs.label] & ~gone
        part = in_raster_order(self.found.take(again), ClassRuns(changed, values(changed)))
        anew = MeasuredClass.of(part, frame, around)
        return self._without(touched, again | gone).beside(anew)

    def _without(self, touched: BoolArray, runs_gone: BoolArray) -> MeasuredClass:
        kept = self.found.take(~runs_gone)
        label = np.cumsum(~touched) - 1  # label 0 is never touched
        columns = {name: column[~touched[1:]] for name, column in self.columns.items()}
        return MeasuredClass(kept.relabelled(label[kept.runs.label]), columns)

    def beside(self, other: MeasuredClass) -> MeasuredClass:
        """Return the regions of both."""
        count = len(self.columns["first"])
        theirs = other.found.relabelled(other.found.runs.label + count)
        columns = {
            name: np.concatenate((column, other.columns[name]))
            for name, column in self.columns.items()
        }
        return MeasuredClass(in_raster_order(self.found, theirs), columns)


def in_raster_order(one: ClassRuns, other: ClassRuns) -> ClassRuns:
    """Return the runs of both, in raster order."""
    both = joined_runs([one, other], one.runs.shape)
    return both.take(np.argsort(both.runs.keys()[0], kind="stable"))


def ellipse_of(classes: Sequence[MeasuredClass], place: int, frame: Frame) -> Ellipse:
    """Return the moment ellipse of a region, given its place among those of all classes.

    Centre in level-0 px, axes in mm.
    """
    before = np.cumsum([0, *(len(each.columns["first"]) for each in classes)])
    kind = int(np.searchsorted(before, place, side="right")) - 1
    runs = classes[kind].found.runs
    found = moment_ellipse(runs.take(runs.label == place - before[kind] + 1), frame.mpp)
    x, y = found.x * frame.step[0] + frame.origin[0], found.y * frame.step[1] + frame.origin[1]
    return replace(found, x=x, y=y, major=found.major / 1e3, minor=found.minor / 1e3)
