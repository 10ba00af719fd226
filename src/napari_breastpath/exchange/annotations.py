"""Reading annotation files of any known format, told apart by content."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.exchange.annotation import Annotation
from napari_breastpath.exchange.aperio_reader import ROOT as APERIO_ROOT
from napari_breastpath.exchange.aperio_reader import AperioHandler
from napari_breastpath.exchange.asap_reader import ROOT as ASAP_ROOT
from napari_breastpath.exchange.asap_reader import AsapHandler
from napari_breastpath.exchange.camelyon import is_camelyon, read_camelyon
from napari_breastpath.exchange.geojson_reader import read_feature
from napari_breastpath.exchange.json_stream import read_document
from napari_breastpath.exchange.xml_events import XmlHandler, read_xml

MAX_BYTES: Final = 256 * 2**20
"""Size of a file that is read, unpacked."""
MAX_VERTICES: Final = 20_000_000
FORMATS: Final = "GeoJSON (also .gz, .zip), ASAP XML, ImageScope XML or CAMELYON JSON"
ADVICE: Final = f"export it again as {FORMATS}"
SUFFIXES: Final = (".json", ".geojson", ".xml", ".annotations", ".gz", ".zip", ".qpdata")
PACKED: Final = (b"\x1f\x8b", b"PK\x03\x04")


def read_annotations(
    path: str | Path, bounds_offset: tuple[float, float] = (0.0, 0.0)
) -> list[Annotation]:
    """Read all objects of an annotation file.

    Parameters
    ----------
    path : str or Path
        QuPath GeoJSON (`.gz` and `.zip` too), ASAP XML, Aperio ImageScope XML or CAMELYON JSON, up
        to `MAX_BYTES` unpacked and `MAX_VERTICES`. XML with a document type is refused.
    bounds_offset : (x, y)
        The slide's origin in the scanner's coordinates (`Slide.bounds_offset`), taken from files
        that count from there: all but GeoJSON.

    Returns
    -------
    list of Annotation
        In the file's order, in level-0 px of the slide; never empty.

    Raises
    ------
    AnnotationError
        Unreadable, malformed, too large or empty: one line that names the place.
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        found, from_scanner = _read(data)
    except ValueError as error:
        raise AnnotationError(path, str(error), ADVICE) from None
    if not found:
        raise AnnotationError(path, "holds no annotation", ADVICE)
    if from_scanner and any(bounds_offset):
        return [each.shifted(-bounds_offset[0], -bounds_offset[1]) for each in found]
    return found


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a file's content, unpacked.

    Raises
    ------
    AnnotationError
        It cannot be read, or is larger than `limit` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if data.startswith(PACKED[0]):
            with gzip.open(path) as packed:
                data = packed.read(limit + 1)
        elif data.startswith(PACKED[1]):
            data = _unzip(data, limit)
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise AnnotationError(path, f"cannot be read ({error})", "check the file") from None
    if len(data) > limit:
        cause = f"larger than {limit // 2**20} MiB unpacked"
        raise AnnotationError(path, cause, "split it, or export fewer objects")
    return data


def _unzip(data: bytes, limit: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith(SUFFIXES)]
        if len(names) != 1:
            raise ValueError(f"{len(names)} annotation files in the archive instead of one")
        with archive.open(names[0]) as member:
            return member.read(limit + 1)


def _read(data: bytes) -> tuple[list[Annotation], bool]:
    """Return the annotations and whether they count from the scanner's origin."""
    if data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").startswith(b"<"):
        handler: Any = read_xml(data, _handler_of)
        found: list[Annotation] = handler.finish()
        _check_size(found)
        return found, True
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"neither XML nor JSON; known are {FORMATS}") from None
    return _read_json(text)


def _handler_of(tag: str) -> XmlHandler:
    handlers: dict[str, Callable[[], XmlHandler]] = {
        ASAP_ROOT: AsapHandler,
        APERIO_ROOT: AperioHandler,
    }
    if tag not in handlers:
        raise ValueError(f"<{tag}> begins no known format; known are {FORMATS}")
    return handlers[tag]()


def _read_json(text: str) -> tuple[list[Annotation], bool]:
    features = _Features()
    rest = read_document(text, "features", features.add)
    if is_camelyon(rest):
        found = list(read_camelyon(rest))
        _check_size(found)
        return found, True
    if not features.number and rest.get("type") != "FeatureCollection":
        features.add(rest)
    return features.found, False


class _Features:
    """Collects features one by one, numbered for messages."""

    def __init__(self) -> None:
        self.found: list[Annotation] = []
        self.number = self._vertices = 0

    def add(self, value: Any) -> None:
        self.number += 1
        place = f"feature {self.number}"
        try:
            new = list(read_feature(value, place))
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        self.found += new
        self._vertices += _vertices(new)
        if self._vertices > MAX_VERTICES:
            raise ValueError(f"{place}: more than {MAX_VERTICES} vertices")


def _vertices(annotations: Iterable[Annotation]) -> int:
    return sum(len(ring) for each in annotations for part in each.parts for ring in part)


def _check_size(annotations: Iterable[Annotation]) -> None:
    if _vertices(annotations) > MAX_VERTICES:
        raise ValueError(f"more than {MAX_VERTICES} vertices")
