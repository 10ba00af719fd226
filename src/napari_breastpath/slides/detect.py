"""Which backend reads a path, by its content; the extension is only a hint in error messages."""

from __future__ import annotations

from pathlib import Path

from napari_breastpath.core.errors import SlideError
from napari_breastpath.slides.backend import INCOMPLETE, Backend

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PATTERNS = (
    "*.svs", "*.tif", "*.tiff", "*.btf", "*.tf2", "*.tf8", "*.ndpi", "*.qptiff", "*.scn",
    "*.mrxs", "*.bif", "*.vms", "*.vmu", "*.svslide", "*.czi", "*.dcm", "*.zarr",
    "*.png", "*.jpg", "*.jpeg",
)  # fmt: skip
"""File patterns of everything that is read, for file dialogs and napari's manifest."""
FORMATS = "give a TIFF, SVS, NDPI, QPTIFF, SCN, MRXS, BIF, VMS, DICOM, OME-Zarr, PNG or JPEG"


def open_backend(path: Path) -> Backend:
    """Return the backend that reads `path`.

    Raises
    ------
    SlideError
        When there is nothing, or nothing that is read.
    """
    try:
        if path.is_dir():
            return open_folder(path)
        with path.open("rb") as file:
            head = file.read(132)
    except FileNotFoundError:
        raise SlideError(path, "no such file or folder", "check the path") from None
    except OSError as error:
        raise SlideError(
            path, f"it cannot be read ({error.strerror})", "check its rights"
        ) from None
    if not head:
        raise SlideError(path, "the file is empty", "copy it again")
    return open_file(path, head)


def open_file(path: Path, head: bytes) -> Backend:
    """Return the backend for a file that starts with `head`."""
    from napari_breastpath.slides.flat import SIGNATURES, open_flat
    from napari_breastpath.slides.openslide_backend import (
        OpenSlideBackend,
        missing_folder,
        vendor_of,
    )

    if head.startswith(TIFF_SIGNATURES):
        from napari_breastpath.slides.tiff import open_tiff

        return open_tiff(path)
    if head[128:] == b"DICM":
        return open_dicom(path)
    if vendor_of(path):
        return OpenSlideBackend(path)
    if lacking := missing_folder(path):
        raise SlideError(path, lacking, "copy the folder beside the file")
    kind = next((kind for mark, kind in SIGNATURES.items() if head.startswith(mark)), None)
    if kind is None:
        raise SlideError(path, "its content is no image format that is read", FORMATS)
    return open_flat(path, kind)


def open_folder(path: Path) -> Backend:
    """Return the backend for an OME-Zarr or a folder of DICOM files."""
    from napari_breastpath.slides.ome_zarr import OmeZarrBackend, is_zarr

    return OmeZarrBackend(path) if is_zarr(path) else open_dicom(path)


def open_dicom(path: Path) -> Backend:
    """Return the backend for the DICOM series at or around `path`."""
    from napari_breastpath.slides.dicom import series_of
    from napari_breastpath.slides.openslide_backend import OpenSlideBackend, vendor_of

    instances = series_of(path)
    readable = [item.path for item in instances if vendor_of(item.path)]
    if not readable:
        raise SlideError(path, "it is no DICOM whole-slide image", INCOMPLETE)
    entry = path if path in readable else readable[0]
    uids = tuple(sorted({item.sop_uid for item in instances}))
    return OpenSlideBackend(entry, tuple(item.path for item in instances), uids)
