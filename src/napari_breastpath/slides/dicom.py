"""Which DICOM files of a folder belong to one slide, from their headers (PS3.5, PS3.10)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from napari_breastpath.core.errors import SlideError
from napari_breastpath.slides.backend import INCOMPLETE, reading

PREAMBLE = 128
SOP_INSTANCE, TRANSFER_SYNTAX, SERIES = 0x00020003, 0x00020010, 0x0020000E
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file.

    Attributes
    ----------
    path : Path
    sop_uid, series_uid : str
        SOP Instance UID and Series Instance UID.
    """

    path: Path
    sop_uid: str
    series_uid: str


def is_dicom(path: Path) -> bool:
    """Tell whether the file has DICOM's preamble."""
    with path.open("rb") as file:
        return file.read(PREAMBLE + 4)[PREAMBLE:] == b"DICM"


def series_of(path: Path) -> tuple[Instance, ...]:
    """Return the instances of the series that a file belongs to, or of a folder's only series.

    Raises
    ------
    SlideError
        When a folder has no DICOM file or those of several series.
    """
    folder = path if path.is_dir() else path.parent
    files = sorted(item for item in folder.iterdir() if item.is_file() and is_dicom(item))
    instances = [found for file in files if (found := read_instance(file, file == path))]
    if path.is_file():
        wanted = {item.series_uid for item in instances if item.path == path}
    else:
        wanted = {item.series_uid for item in instances}
    if not wanted:
        raise SlideError(path, "no slide format that is read was found in the folder", INCOMPLETE)
    if len(wanted) > 1:
        raise SlideError(
            path, f"the folder holds {len(wanted)} DICOM series", "give one .dcm file of the slide"
        )
    return tuple(item for item in instances if item.series_uid in wanted)


def read_instance(path: Path, must_work: bool) -> Instance | None:
    """Return the file's identifiers; a neighbour that cannot be read is no part of the series."""
    try:
        with reading(path, "its DICOM header cannot be read"), path.open("rb") as file:
            file.seek(PREAMBLE + 4)
            return Instance(path, *_identifiers(file))
    except SlideError:
        if must_work:
            raise
        return None


def _identifiers(file: BinaryIO) -> tuple[str, str]:
    meta = _meta_group(file)
    implicit = meta[TRANSFER_SYNTAX] == IMPLICIT_LITTLE_ENDIAN
    while True:
        tag, length = _element(file, implicit)
        if tag == SERIES:
            return meta[SOP_INSTANCE], _uid(file, length)
        if tag > SERIES:
            raise ValueError("it has no Series Instance UID")
        _skip(file, length, implicit)


def _meta_group(file: BinaryIO) -> dict[int, str]:
    """Return the UIDs of the file meta group, which is explicit whatever follows it."""
    found: dict[int, str] = {}
    _, length = _element(file, implicit=False)
    (size,) = struct.unpack("<I", _exactly(file, length))
    end = file.tell() + size
    while file.tell() < end:
        tag, length = _element(file, implicit=False)
        if tag in (SOP_INSTANCE, TRANSFER_SYNTAX):
            found[tag] = _uid(file, length)
        else:
            _skip(file, length, implicit=False)
    return found


def _uid(file: BinaryIO, length: int) -> str:
    return _exactly(file, length).rstrip(b"\0 ").decode("ascii")


def _element(file: BinaryIO, implicit: bool) -> tuple[int, int]:
    group, element = struct.unpack("<HH", _exactly(file, 4))
    tag = group << 16 | element
    if implicit or group == 0xFFFE:
        return tag, struct.unpack("<I", _exactly(file, 4))[0]
    vr = _exactly(file, 2)
    if vr in LONG_VRS:
        return tag, struct.unpack("<2xI", _exactly(file, 6))[0]
    return tag, struct.unpack("<H", _exactly(file, 2))[0]


def _skip(file: BinaryIO, length: int, implicit: bool) -> None:
    """Move past a value; sequences and items of undefined length are walked to their end."""
    if length != UNDEFINED:
        file.seek(length, 1)
        return
    while True:
        tag, inner = _element(file, implicit)
        if tag in (ITEM_END, SEQUENCE_END):
            return
        _skip(file, inner, implicit)


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError("the header ends too early")
    return data
