"""napari's reader: slides, and result folders with their slide.

`get_reader` only looks at the path and never raises. Reading is lazy whatever the size: a file that
is no slide goes to napari's own reader only while it fits in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_breastpath.core.errors import BreastPathError, PixelSizeError, SlideError
from napari_breastpath.results import load_result
from napari_breastpath.slides import PATTERNS, Slide, open_slide
from napari_breastpath.slides.backend import reading
from napari_breastpath.viewer.layers import (
    LayerData,
    mask_layer,
    outline_layer,
    probability_layer,
    slide_layer,
    tissue_layer,
)
from napari_breastpath.viewer.moved_slide import found_slide
from napari_breastpath.viewer.session import Session

if TYPE_CHECKING:
    from napari import Viewer

Paths: TypeAlias = str | Path | Sequence[str | Path]
Reader: TypeAlias = Callable[[Paths], list[Any]]
RESULT_PATTERN = "*.breastpath"
NOTHING: list[Any] = [(None,)]
"""What napari takes for "read, and there is no layer to show"."""
PLAIN_PATTERNS = ("*.tif", "*.tiff", "*.btf", "*.tf2", "*.tf8", "*.png", "*.jpg", "*.jpeg")
PLAIN_LIMIT_BYTES = 2**30


def get_reader(path: Paths) -> Reader | None:
    """Return the function that reads `path`, None when it is not for us.

    Parameters
    ----------
    path : str, Path or sequence
        One slide or one result folder; several at once (a stack) are not for us.
    """
    one = single(path)
    if one is None:
        return None
    if fnmatch(one.name.lower(), RESULT_PATTERN) and one.is_dir():
        return read_result
    return read_slide if one.is_dir() or is_slide_name(one) else None


def single(path: Paths) -> Path | None:
    """Return the one path in `path`, None when there are none or several."""
    if isinstance(path, str | Path):
        return Path(path) if str(path) else None
    return Path(path[0]) if len(path) == 1 else None


def is_slide_name(path: Path) -> bool:
    """Tell whether a file's name is one of those that slides have."""
    return any(fnmatch(path.name.lower(), pattern) for pattern in PATTERNS)


def read_result(path: Paths) -> list[LayerData]:
    """Return the layers of a result folder: its slide, probabilities, and masks once measured."""
    viewer = viewer_with_window()
    try:
        result = load_result(single(path) or "")
        slide = found_slide(result)
        if slide is None:
            return NOTHING
        layers = [slide_layer(slide), probability_layer(result)]
    except BreastPathError as error:
        return refuse(error, viewer)
    if result.is_measured:
        layers += [describe(result) for describe in (tissue_layer, mask_layer, outline_layer)]
    return layers


def read_slide(path: Paths) -> list[Any]:
    """Return the slide's layer; ask for the pixel size where the file states none.

    Raises
    ------
    SlideError, PixelSizeError
        Where there is no window to say it in.
    """
    file, viewer = single(path) or Path(), viewer_with_window()
    try:
        return [slide_layer(open_slide(file))]
    except PixelSizeError as error:
        if viewer is None:
            raise
        slide = ask_for_slide(error)
        return NOTHING if slide is None else [slide_layer(slide)]
    except SlideError as error:
        return read_plain(file) or refuse(error, viewer)


def ask_for_slide(error: PixelSizeError) -> Slide | None:
    """Open the slide at the pixel size that the user types in, None when they cancel."""
    from napari_breastpath.viewer.pixel_size_dialog import ask_pixel_size

    mpp = ask_pixel_size(error)
    return None if mpp is None else open_slide(Path(str(error.subject)), mpp=mpp)


def refuse(error: BreastPathError, viewer: Viewer | None) -> list[Any]:
    """Say in one line why nothing is shown; without a window, raise it."""
    if viewer is None:
        raise error
    from napari.utils.notifications import show_error

    from napari_breastpath.viewer.dialogs import brief

    show_error(brief(error))
    return NOTHING


def viewer_with_window() -> Viewer | None:
    """Return napari's current viewer, None where nobody looks at a screen.

    Its session starts listening, so that a slide dropped on a bare window is noticed too.
    """
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        Session.of(viewer)
    return viewer


def read_plain(path: Path) -> list[Any]:
    """Read a small file that is no slide (a mask, a fluorescence stack) as napari itself would.

    napari loads whole files, so a big one is not for it.

    Returns
    -------
    list
        Layer data; empty where napari cannot read it either.
    """
    is_plain = any(fnmatch(path.name.lower(), pattern) for pattern in PLAIN_PATTERNS)
    if not is_plain or not path.is_file() or decoded_bytes(path) > PLAIN_LIMIT_BYTES:
        return []
    from napari_builtins.io import napari_get_reader  # type: ignore[import-untyped]

    read = napari_get_reader(str(path))
    with suppress(SlideError), reading(path, "napari cannot read it either"):
        return list(read(str(path))) if read else []
    return []


def decoded_bytes(path: Path) -> float:
    """Return the size in memory of an image file's pixels, infinite where its header is no good."""
    import tifffile
    from PIL import Image

    try:
        if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
            with Image.open(path) as image:
                return float(image.width * image.height * len(image.getbands()))
        with tifffile.TiffFile(path) as file:
            return float(sum(series.nbytes for series in file.series)) or float("inf")
    except (OSError, ValueError, tifffile.TiffFileError, Image.DecompressionBombError):
        return float("inf")
