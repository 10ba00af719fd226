"""Where to look next: the regions one after the other, those that matter most first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal

from napari_breastpath.core.errors import ResultError
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.navigate import feret_world, following, go_to

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.viewer.session import Session

EFFECT, LENGTH = "effect", "length"


class Tour(Companion):
    """Goes through one session's regions; `Tour.of(session)` gives it, always the same.

    Attributes
    ----------
    order : str
        `effect`: what correcting a region would change in the slide's figures; or `length`.
    moved : Signal
        Emitted with the id of the region that is gone to.
    """

    moved = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self.order = EFFECT

    @property
    def regions(self) -> pd.DataFrame | None:
        """The regions as they are now; None without a measured result, or a damaged one."""
        session = self._session()
        try:
            figures = LiveNumbers.of(session).figures() if session else None
        except ResultError:
            return None
        return figures.regions if figures else None

    def ids(self) -> list[Any]:
        """Return the regions' ids in the order of the tour."""
        regions, session = self.regions, self._session()
        if regions is None or session is None:
            return []
        known = set(regions["region_id"])
        effects = LiveNumbers.of(session).effects if self.order == EFFECT else None
        first = [] if effects is None else [k for k in effects["region_id"] if k in known]
        longest = regions.sort_values("feret_max_mm", ascending=False)["region_id"]
        ranked = set(first)
        return [*first, *(k for k in longest if k not in ranked)]

    def why(self, region_id: Any) -> str:
        """Return why a region matters, "" where nothing is known."""
        session = self._session()
        effects = LiveNumbers.of(session).effects if session else None
        if effects is None:
            return ""
        rows = effects[effects["region_id"] == region_id]
        return str(rows["why"].iloc[0]) if len(rows) else ""

    def step(self, step: int) -> bool:
        """Go to the next region (`step` 1) or the one before (−1); False where there is none."""
        session, ids = self._session(), self.ids()
        if session is None or not ids:
            return False
        self.go_to(following(ids, session.region, step))
        return True

    def go_to(self, region_id: Any) -> None:
        """Bring a region to the middle of the view, as large as fits."""
        session, regions = self._session(), self.regions
        if session is None or session.result is None or regions is None:
            return
        session.region = region_id
        row = regions.set_index("region_id").loc[region_id]
        go_to(session.viewer, feret_world(row, session.result.slide_mpp))
        self.moved.emit(region_id)
