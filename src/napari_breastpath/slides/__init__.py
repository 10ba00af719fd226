"""Slides of every format, read as one kind of pyramid with a pixel size.

`open_slide` gives a `Slide`; `check_pixel_size` refuses one whose µm/px does not suit an analysis.
"""

from napari_breastpath.slides.detect import PATTERNS
from napari_breastpath.slides.pixel_size import check_pixel_size
from napari_breastpath.slides.slide import Slide, open_slide

__all__ = ["PATTERNS", "Slide", "check_pixel_size", "open_slide"]
