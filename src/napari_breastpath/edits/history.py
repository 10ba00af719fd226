"""The log in memory: what happened so far, what it comes to, and what the map still lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits.entry import Entry
from napari_breastpath.edits.journal import RESTORE, Journal, Marker, read_log
from napari_breastpath.edits.state import HandState, Steps, folded
from napari_breastpath.results import Result

WRITTEN_BACK = timedelta(minutes=2)  # by then systems have put on the disk what files were given


def hand_state(result: Result) -> HandState:
    """Return extent, rulers and review of a result, as its edit log says."""
    return folded(read_log(result))


class History:
    """What hands did to one result, as far as it has been read.

    Parameters
    ----------
    result : Result

    Attributes
    ----------
    journal : Journal
    entries : list of Entry
    steps : Steps
    state : HandState
    """

    def __init__(self, result: Result) -> None:
        self.path, self.journal = result.path, Journal(result)
        self.entries: list[Entry] = []
        self.steps, self.state = Steps(), HandState()

    @property
    def next(self) -> int:
        """The number that the next entry gets."""
        return len(self.entries) + 1

    def read(self) -> tuple[Entry, ...]:
        """Take in what has been logged since the last time, and return it."""
        new = self.journal.news()
        for entry in new:
            self._take(entry)
        return tuple(new)

    def add(self, entry: Entry) -> Entry:
        """Log an entry; return it as it will be read."""
        try:
            self.state.after(entry)
        except (KeyError, TypeError, ValueError) as error:
            cause = f"{entry.action}: incomplete ({error})"
            raise ResultError(self.path, cause, "give all of it") from error
        entry = self.journal.append(entry)
        self._take(entry)
        return entry

    def _take(self, entry: Entry) -> None:
        try:
            if entry.number != self.next:
                raise ValueError(f"{entry.number} comes after {len(self.entries)}")
            self.state = self.state.after(entry)
            self.steps.take(entry)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            cause = f"entry {entry.number} does not belong there ({error})"
            raise ResultError(self.journal.path, cause, RESTORE) from error
        self.entries.append(entry)

    def waiting(self) -> list[Entry]:
        """Return what the map lacks, in order."""
        marker = self.journal.marker
        return self.entries[marker.applied if marker else 0 :]

    def doubtful(self) -> list[Entry]:
        """Return what the map may lack since the machine stopped before it was on the disk."""
        if not self.entries or not self.journal.is_older_than_restart:
            return []
        since = datetime.fromisoformat(self.entries[-1].time) - WRITTEN_BACK
        first = next(e for e in self.entries if datetime.fromisoformat(e.time) >= since)
        return self.entries[first.number - 1 :]

    def mark(self, entry: Entry, recorded: float, used: float) -> None:
        """Say that the map has an entry now; `recorded` and `used` are thresholds of the mask."""
        marker = self.journal.marker or Marker(threshold=recorded)
        if entry.pixels and marker.threshold != used:
            marker = replace(marker, threshold=None)
        self.journal.mark(replace(marker, applied=entry.number))

    def check_open(self) -> None:
        """Raise `ResultError` while the result is reviewed."""
        if (review := self.state.reviewed) is not None:
            who = review.reader or "someone without a name"
            cause = f"was reviewed by {who} on {review.time[:10]}"
            raise ResultError(self.path, cause, "reopen it to change it")
