"""Flat images (PNG, JPEG, TIFF in one piece): decoded once, whole, when first read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.backend import INCOMPLETE, Backend, Claim, Header, Pixels, reading
from napari_breastpath.slides.pixel_size import is_deliberate_tag
from napari_breastpath.slides.pixels import as_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_FLAT_PX = 400_000_000
CHUNK_PX = 1024
# Coarser densities in a PNG or JPEG come from scanners and print settings, not from microscopes.
COARSEST_FLAT_UM = 5.0
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
PNG_END = b"IEND"
TAIL_BYTES = 2**16
_BOMB_CHECK, _TRUNCATION = threading.Lock(), threading.Lock()


class FlatBackend(Backend):
    """One image without a pyramid.

    Parameters
    ----------
    path : Path
    reader : str
    header : Header
    shape : tuple of int
        (height, width).
    channels : int
    load : callable
        Returns the whole image, (h, w, channels).
    """

    identifiers = ()
    associated: Mapping[str, Callable[[], NDArray[np.uint8]]] = {}

    def __init__(
        self,
        path: Path,
        reader: str,
        header: Header,
        shape: tuple[int, int],
        channels: int,
        load: Callable[[], Pixels],
    ) -> None:
        self.reader, self.header, self.channels = reader, header, channels
        self.files = (path,)
        self.levels = (Level.of(*shape, *shape),)
        self.chunks = ((CHUNK_PX, CHUNK_PX),)
        self._path, self._load = path, load
        self._lock = threading.Lock()
        self._image: Pixels | None = None

    def decode(self, level: int, row: int, column: int) -> Pixels | None:
        """Return a view of one piece of the image."""
        top, left = row * CHUNK_PX, column * CHUNK_PX
        return self._whole()[top : top + CHUNK_PX, left : left + CHUNK_PX]

    def close(self) -> None:
        """Forget the image."""
        self._image = None

    def _whole(self) -> Pixels:
        with self._lock:
            if self._image is None:
                with reading(self._path, "the image cannot be decoded"):
                    self._image = self._load()
            return self._image


def open_flat(path: Path, kind: str) -> FlatBackend:
    """Open a PNG or JPEG of up to `MAX_FLAT_PX` pixels.

    Raises
    ------
    SlideError
        For a larger one, or a header that cannot be read.
    """
    with reading(path, "its header cannot be read"), open_image(path) as image:
        width, height = image.size
        channels = 1 if is_grey16(image) else 3
        header = Header(kind, density_claims(image), properties={"mode": image.mode})
    if kind == "png" and PNG_END not in tail(path):
        raise SlideError(path, "the file ends before its image does", INCOMPLETE)
    if width * height > MAX_FLAT_PX:
        raise SlideError(
            path,
            f"{width * height / 1e6:.0f} megapixels without a pyramid, more than "
            f"{MAX_FLAT_PX / 1e6:.0f}",
            "convert it to a tiled pyramidal TIFF",
        )
    return FlatBackend(path, "pillow", header, (height, width), channels, partial(load_image, path))


def tail(path: Path) -> bytes:
    """Return the last part of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read()


def open_image(path: Path) -> Image:
    """Open an image lazily, without Pillow's own limit on its size (ours is stated)."""
    import PIL.Image

    with _BOMB_CHECK:
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            return PIL.Image.open(path)
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit


def is_grey16(image: Image) -> bool:
    """Tell whether the image is grey with more than 8 bits."""
    return image.mode.startswith("I;16") or image.mode == "I"


def density_claims(image: Image) -> tuple[Claim, ...]:
    """Return the pixel size that PNG pHYs or JPEG density state, if a microscope may have."""
    dpi: Any = image.info.get("dpi")
    if not dpi or not all(value > 0 for value in dpi):
        return ()
    x, y = (25400.0 / float(value) for value in dpi)
    is_microscopic = all(is_deliberate_tag(um) and um <= COARSEST_FLAT_UM for um in (x, y))
    return (Claim("image density", x, y),) if is_microscopic else ()


@contextmanager
def complete_only() -> Iterator[None]:
    """Let Pillow refuse images cut short, even where another library (WeasyPrint) allows them."""
    from PIL import ImageFile

    with _TRUNCATION:
        allowed, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = allowed


def load_image(path: Path) -> Pixels:
    """Return the whole image, (h, w, 3) uint8 or (h, w, 1) uint16."""
    with open_image(path) as image:
        with complete_only():
            image.load()
        if is_grey16(image):
            return np.asarray(image).astype(np.uint16)[..., None]
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return as_pixels(np.asarray(image if image.mode == mode else image.convert(mode)))
