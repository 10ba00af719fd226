"""Results for tests of the viewer: right in form, painted by hand."""

from __future__ import annotations

from pathlib import Path

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results import Result, create_result
from napari_breastpath.slides import Slide

COLOUR = (200, 30, 60)


def make_result(
    folder: Path,
    height: int = 300,
    width: int = 200,
    roles: tuple[str, ...] = ("tumour",),
    slide: Slide | None = None,
) -> Result:
    """Return an empty result at 4 µm/px; of `slide`, or of one at 0.5 µm/px that is nowhere."""
    mpp = slide.mpp if slide else PixelSize(0.5, 0.5)
    steps = 4 / mpp.x, 4 / mpp.y
    lattice = slide.lattice(4) if slide else Lattice(height, width, *steps, 4.0, 4.0)
    record = {
        "slide": {
            "path": str(slide.path if slide else folder / "nowhere.svs"),
            "mpp_x": mpp.x,
            "mpp_y": mpp.y,
            "mpp_source": mpp.source,
            "fingerprint": slide.fingerprint if slide else "0" * 64,
        },
        "analysis": "tumour",
        "model": {"classes": [{"name": r, "color": COLOUR, "role": r} for r in roles]},
        "map_mpp": [4.0, 4.0],
        "settings": {},
    }
    name = slide.path.name if slide else "nowhere.svs"
    return create_result(
        folder / f"{name}.tumour.breastpath",
        record,
        lattice=lattice,
        slide_mpp=mpp,
        classes=[(role, COLOUR) for role in roles],
        tiles=(1, 1),
    )
