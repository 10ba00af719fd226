"""TIFF families through tifffile: SVS, OME-TIFF, NDPI, QPTIFF, SCN, generic tiled and striped.

tifffile reads the headers; chunks are then read by position from our own handle and decoded in the
caller's thread, so that threads share neither a file position nor a lock.
"""

from __future__ import annotations

import logging
import re
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.backend import INCOMPLETE, Backend, Header, Pixels, reading
from napari_breastpath.slides.flat import MAX_FLAT_PX, FlatBackend
from napari_breastpath.slides.jpeg_tiles import Decode, faster
from napari_breastpath.slides.pixels import as_pixels, as_rgb, channels_of
from napari_breastpath.slides.positioned import PositionedFile
from napari_breastpath.slides.tiff_colours import believe_samples
from napari_breastpath.slides.tiff_header import associated_names, read_header
from napari_breastpath.slides.tiff_pages import Layout, Page, UnsupportedPicture, layout

MAX_CHUNK_BYTES = 64 * 2**20
ASSOCIATED_ALPHA = 1
WHITE_IS_ZERO = 0
ACCEPTED_PHOTOMETRICS = (0, 1, 2, 6)
YCBCR = 6
APERIO_JPEG2000_YCBCR = 33003
JPEG = (6, 7, 34892, 33007)
# Entropy-coded JPEG never ends in a run of zeros: that is a hole of a broken copy.
HOLE = bytes(64)
BEYOND_THE_END = re.compile(r"invalid (?:page offset|value offset|offset to first page) (\d+)")
SMALLEST_OFFSET = 8


def open_tiff(path: Path) -> Backend:
    """Open a TIFF of any family; those with overlapping or oddly padded tiles go to OpenSlide.

    Raises
    ------
    SlideError
        In one line, whatever is wrong with the file.
    """
    with quiet() as complaints:
        try:
            with reading(path, "its TIFF headers cannot be read"):
                found = _parse(path)
        finally:
            if is_cut_short(complaints):
                raise SlideError(path, "the file ends before its own directory does", INCOMPLETE)
    return _by_openslide(path, found) if isinstance(found, str) else found


def _parse(path: Path) -> Backend | str:
    """Return what reads the file, or why tifffile's reading of it cannot be used."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        try:
            return _by_tifffile(path, tif)
        except UnsupportedPicture as error:
            return str(error)


def _by_tifffile(path: Path, tif: Any) -> Backend:
    if needs_openslide(tif):
        raise UnsupportedPicture("its tiles have to be placed by OpenSlide")
    pages = layout(tif)
    base = pages.levels[0]
    header = with_colour_note(read_header(tif, pages), path, pages)
    check_decodable(base)
    if len(pages.levels) == 1 and chunk_bytes(base[0]) > MAX_CHUNK_BYTES:
        return flat_tiff(path, base, header)
    return TiffBackend(path, pages, header)


def with_colour_note(header: Header, path: Path, pages: Layout) -> Header:
    """Return the header, saying so where the colours are not stored as the file claims."""
    file = PositionedFile(path)
    try:
        note = believe_samples(pages, file)
    finally:
        file.close()
    return replace(header, properties={**header.properties, "colours": note}) if note else header


def _by_openslide(path: Path, cause: str) -> Backend:
    from napari_breastpath.slides.openslide_backend import OpenSlideBackend, vendor_of

    # As generic-tiff OpenSlide would show one of many channels, or floats, as if they were RGB.
    if vendor_of(path) in (None, "generic-tiff"):
        raise SlideError(path, f"this TIFF cannot be shown as a slide: {cause}", INCOMPLETE)
    return OpenSlideBackend(path)


def needs_openslide(tif: Any) -> bool:
    """Tell whether tiles overlap (BIF, Trestle), are padded (Philips) or form several regions."""
    first = tif.pages.first
    return bool(
        tif.is_bif
        or tif.is_philips
        or str(first.software).startswith("MedScan")
        or first.compression == APERIO_JPEG2000_YCBCR
        # Leica: one macro image and one region are the usual two.
        or (tif.is_scn and first.description.count("<image ") > 2)
    )


def check_decodable(planes: tuple[Page, ...]) -> None:
    """Raise UnsupportedPicture unless pages of this kind can be decoded to grey or RGB."""
    page = planes[0]
    if int(page.photometric) not in ACCEPTED_PHOTOMETRICS:
        raise UnsupportedPicture(f"its colours are stored as {page.photometric}")
    if int(page.photometric) == YCBCR and int(page.compression) not in JPEG:
        raise UnsupportedPicture("its colours are stored as YCbCr without JPEG")
    if page.bitspersample not in (8, 16) and page.dtype != np.uint16:
        raise UnsupportedPicture(f"{page.bitspersample} bits per sample are not read")
    try:
        page.decode(None, 0)
    except Exception as error:
        raise UnsupportedPicture(str(error)) from error


def chunk_bytes(page: Page) -> int:
    """Return the decoded size of one tile or strip."""
    height, width = TiffLevel.chunk_of(page)
    return height * width * int(page.samplesperpixel) * int(np.dtype(page.dtype).itemsize)


def flat_tiff(path: Path, planes: tuple[Page, ...], header: Header) -> Backend:
    """Return a TIFF stored in one huge piece as a flat image, decoded once."""
    page = planes[0]
    height, width = page.imagelength, page.imagewidth
    if height * width > MAX_FLAT_PX:
        raise UnsupportedPicture(
            f"{height * width / 1e6:.0f} megapixels in one piece (the limit is "
            f"{MAX_FLAT_PX / 1e6:.0f}); convert it to a tiled TIFF"
        )
    channels = channels_of(np.dtype(page.dtype), len(planes) * page.samplesperpixel)
    whole = TiffLevel.of(planes)
    load = partial(_load_whole, path, whole)
    return FlatBackend(path, "tifffile", header, (height, width), channels, load)


def _load_whole(path: Path, level: TiffLevel) -> Pixels:
    file = PositionedFile(path)
    try:
        rows = [decode_chunk(file, level, row, 0) for row in range(level.grid[0])]
    finally:
        file.close()
    present = [row for row in rows if row is not None]
    if len(present) < len(rows):
        raise SlideError(path, "strips are missing", INCOMPLETE)
    return cast("Pixels", np.concatenate(present))


@dataclass(frozen=True, slots=True)
class Plane:
    """Where the encoded chunks of one colour (or of all three together) lie in the file."""

    decode: Decode
    first: int
    offsets: array[int]
    byte_counts: array[int]

    @classmethod
    def of(cls, page: Page, first: int) -> Plane:
        """Return where a page keeps its chunks, the first of them at that index."""
        decode = partial(by_tifffile, page.decode, page.jpegtables, page.jpegheader)
        offsets, byte_counts = array("Q", page.dataoffsets), array("Q", page.databytecounts)
        return cls(faster(page, decode), first, offsets, byte_counts)


def by_tifffile(
    decode: Callable[..., tuple[NDArray[Any] | None, Any, Any]],
    tables: bytes | None,
    header: bytes | None,
    data: bytes,
    index: int,
) -> NDArray[Any] | None:
    """Return the (h, w, samples) of one encoded chunk as tifffile decodes it."""
    samples, _, _ = decode(data, index, jpegtables=tables, jpegheader=header)
    return None if samples is None else samples[0]


@dataclass(frozen=True, slots=True)
class TiffLevel:
    """All that is needed to decode a chunk of one level, without tifffile's open file."""

    planes: tuple[Plane, ...]
    height: int
    width: int
    chunk: tuple[int, int]
    grid: tuple[int, int]
    is_jpeg: bool
    premultiplied: bool
    white_is_zero: bool

    @staticmethod
    def chunk_of(page: Page) -> tuple[int, int]:
        """Return (height, width) of a page's tiles or strips."""
        if page.is_tiled:
            return int(page.tilelength), int(page.tilewidth)
        return min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth)

    @classmethod
    def of(cls, pages: tuple[Page, ...]) -> TiffLevel:
        """Return the level that these pages hold, one colour each or all in one."""
        page = pages[0]
        height, width = page.imagelength, page.imagewidth
        chunk = cls.chunk_of(page)
        grid = (-(-height // chunk[0]), -(-width // chunk[1]))
        separate = page.planarconfig == 2 and page.samplesperpixel > 1
        per_page = page.samplesperpixel if separate else 1
        planes = tuple(
            Plane.of(each, sample * grid[0] * grid[1])
            for each in pages
            for sample in range(per_page)
        )
        return cls(
            planes,
            height,
            width,
            chunk,
            grid,
            int(page.compression) in JPEG,
            tuple(map(int, page.extrasamples)) == (ASSOCIATED_ALPHA,),
            int(page.photometric) == WHITE_IS_ZERO,
        )


def decode_chunk(file: PositionedFile, level: TiffLevel, row: int, column: int) -> Pixels | None:
    """Return one chunk cut at the level's edge, None where the file has no data for it."""
    index = row * level.grid[1] + column
    planes = level.planes
    if len(planes) == 1:
        samples = decode_plane(file, level, planes[0], index)
    else:
        samples = decode_planes(file, level, index)
    if samples is None:
        return None
    height = min(level.chunk[0], level.height - row * level.chunk[0])
    width = min(level.chunk[1], level.width - column * level.chunk[1])
    if samples.shape[0] < height or samples.shape[1] < width:
        raise ValueError(f"a chunk of {samples.shape[:2]} px where {(height, width)} were expected")
    return as_pixels(
        samples[:height, :width],
        premultiplied=level.premultiplied,
        white_is_zero=level.white_is_zero,
    )


def decode_planes(file: PositionedFile, level: TiffLevel, index: int) -> NDArray[Any] | None:
    """Return the (h, w, samples) of a chunk stored colour by colour, None where one is missing."""
    planes = [decode_plane(file, level, plane, index) for plane in level.planes]
    present = [plane for plane in planes if plane is not None]
    return np.concatenate(present, axis=2) if len(present) == len(planes) else None


def decode_plane(
    file: PositionedFile, level: TiffLevel, plane: Plane, index: int
) -> NDArray[Any] | None:
    """Return the (h, w, samples) of one encoded chunk, None where it was never written."""
    index += plane.first
    if index >= len(plane.byte_counts):
        raise ValueError(f"chunk {index} is not listed in the file")
    byte_count = plane.byte_counts[index]
    if not byte_count:
        return None
    data = file.read(plane.offsets[index], byte_count)
    if level.is_jpeg and data.endswith(HOLE):
        raise ValueError(f"the JPEG of chunk {index} ends in zeros")
    return plane.decode(data, index)


class TiffBackend(Backend):
    """A pyramid of TIFF pages."""

    reader = "tifffile"
    identifiers = ()

    def __init__(self, path: Path, pages: Layout, header: Header) -> None:
        self.header = header
        self.files = (path,)
        self._path = path
        self._levels = tuple(map(TiffLevel.of, pages.levels))
        base = self._levels[0]
        self.levels = tuple(
            Level.of(level.height, level.width, base.height, base.width) for level in self._levels
        )
        self.chunks = tuple(level.chunk for level in self._levels)
        page = pages.levels[0][0]
        samples = page.samplesperpixel * len(pages.levels[0])
        self.channels = channels_of(np.dtype(page.dtype), samples)
        self.associated = {
            name: partial(read_page, path, index)
            for name, index in associated_names(pages, page).items()
        }
        self._file = PositionedFile(path)

    def decode(self, level: int, row: int, column: int) -> Pixels | None:
        """Return one chunk, None where a sparse file has none."""
        with reading(self._path, f"tile ({row}, {column}) of level {level} cannot be decoded"):
            return decode_chunk(self._file, self._levels[level], row, column)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_page(path: Path, index: int) -> NDArray[np.uint8]:
    """Return a whole page (label, macro…) as (h, w, 3) uint8."""
    with quiet(), reading(path, f"image {index} of the file cannot be read"):
        import tifffile

        with tifffile.TiffFile(path) as tif:
            page = tif.pages[index]
            samples = page.asarray()
            samples = np.moveaxis(samples, 0, -1) if page.axes == "SYX" else samples
            samples = samples if samples.ndim == 3 else samples[..., None]
            white_is_zero = int(page.photometric) == WHITE_IS_ZERO
        return as_rgb(as_pixels(samples, white_is_zero=white_is_zero))


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep tifffile's log lines of this thread from the user: what matters becomes an error."""
    thread, complaints = threading.get_ident(), list[str]()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread == thread:
            complaints.append(record.getMessage())
        return record.thread != thread

    logger = logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield complaints
    finally:
        logger.removeFilter(collect)


def is_cut_short(complaints: list[str]) -> bool:
    """Tell whether tifffile found pages or tag values to lie beyond the end of the file."""
    found = (BEYOND_THE_END.search(line) for line in complaints)
    return any(match and int(match.group(1)) >= SMALLEST_OFFSET for match in found)
