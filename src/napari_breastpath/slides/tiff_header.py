"""What TIFF headers say besides pixels: pixel sizes, magnification, names of the extra images."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from xml.etree import ElementTree

from napari_breastpath.slides.backend import Claim, Header
from napari_breastpath.slides.pixel_size import in_um, is_deliberate_tag
from napari_breastpath.slides.tiff_pages import Layout, Page, is_reduction, size

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
NDPI_MAGNIFICATION = 65421
UM_PER_UNIT = {2: 25400.0, 3: 10000.0}
LABEL_SUBFILE, MACRO_SUBFILE = 1, 9
NAMES = ("label", "macro", "overview", "thumbnail")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_QPTIFF_KIND = re.compile(r"<ImageType>\s*(\w+)\s*</ImageType>")
_OBJECTIVE = re.compile(r"<(?:Objective|objective|ObjectiveName)>\s*(\d+(?:\.\d+)?)\s*x?\s*<", re.I)


def read_header(tif: Any, pages: Layout) -> Header:
    """Return the header of an open `tifffile.TiffFile` whose levels are known."""
    base = pages.levels[0][0]
    facts = vendor_facts(tif, base)
    properties = dict(facts.properties)
    properties["compression"] = getattr(base.compression, "name", str(base.compression))
    if 34675 in base.tags:
        properties["ICC profile"] = "embedded, not applied"
    return Header(
        facts.vendor, (*facts.claims, *tag_claims(base)), facts.objective_power, properties
    )


def vendor_facts(tif: Any, base: Page) -> Header:
    """Return what the vendor's own part of the header says."""
    if tif.is_svs:
        return aperio(tif.pages.first.description)
    if tif.is_ome:
        return ome(tif.pages.first.description, size(base))
    if tif.is_ndpi:
        return Header("hamamatsu", objective_power=positive(base.tags.valueof(NDPI_MAGNIFICATION)))
    if tif.is_qpi or tif.is_scn:
        vendor = "leica" if tif.is_scn else "akoya"
        found = _OBJECTIVE.search(tif.pages.first.description)
        return Header(vendor, objective_power=positive(found.group(1)) if found else None)
    if tif.is_imagej:
        return Header("imagej", imagej_claims(tif, base))
    return Header("generic-tiff")


def aperio(description: str) -> Header:
    """Return what an Aperio description (`… |MPP = 0.4990|AppMag = 20|…`) says."""
    pairs = (part.partition("=") for part in description.split("|")[1:])
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    mpp = number(facts.get("MPP", ""))
    claims = () if mpp is None else (Claim("Aperio MPP", mpp, mpp),)
    return Header("aperio", claims, positive(facts.get("AppMag", "")), facts)


def ome(xml: str, base: tuple[int, int]) -> Header:
    """Return what OME-XML says of the image with that (height, width)."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return Header("ome-tiff")
    images = [element for element in root.iter() if local(element) == "Image"]
    pixels = [child for image in images for child in image.iter() if local(child) == "Pixels"]
    shape = (str(base[0]), str(base[1]))
    fitting = [p for p in pixels if (p.get("SizeY"), p.get("SizeX")) == shape] or pixels[:1]
    objectives = (element for element in root.iter() if local(element) == "Objective")
    power = next((positive(o.get("NominalMagnification", "")) for o in objectives), None)
    return Header("ome-tiff", ome_claims(fitting[0]) if fitting else (), power)


def ome_claims(pixels: ElementTree.Element) -> tuple[Claim, ...]:
    """Return the physical pixel size of one OME `Pixels` element."""
    sizes = [
        in_um(value, pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "XY"
        if (value := number(pixels.get(f"PhysicalSize{axis}", ""))) is not None
    ]
    x, y = (*sizes, None, None)[:2]
    return () if x is None or y is None else (Claim("OME PhysicalSize", x, y),)


def imagej_claims(tif: Any, page: Page) -> tuple[Claim, ...]:
    """Return ImageJ's pixel size: resolution tags in pixels per its own unit."""
    unit = (tif.imagej_metadata or {}).get("unit")
    x, y = (pixels_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    one = in_um(1.0, unit)
    return () if not (x and y and one) else (Claim("ImageJ calibration", one / x, one / y),)


def tag_claims(page: Page) -> tuple[Claim, ...]:
    """Return the pixel size of the resolution tags, when in cm or inch and no print setting."""
    unit = UM_PER_UNIT.get(int(page.tags.valueof(RESOLUTION_UNIT) or 0))
    x, y = (pixels_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    if not (unit and x and y):
        return ()
    claim = Claim("TIFF resolution tag", unit / x, unit / y)
    return (claim,) if is_deliberate_tag(claim.x) and is_deliberate_tag(claim.y) else ()


def pixels_per_unit(page: Page, tag: int) -> float | None:
    """Return a resolution tag as a number, None when absent, zero or without denominator."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return value[0] / value[1] or None


def associated_names(pages: Layout, base: Page) -> dict[str, int]:
    """Return the page index of each image that is no level, under a name of its own."""
    named: dict[str, int] = {}
    for index, page in pages.others:
        name = associated_name(page, base)
        named[name if name not in named else f"{name} {index}"] = index
    return named


def associated_name(page: Page, base: Page) -> str:
    """Return `label`, `macro`, `thumbnail`, … for a page that is no level."""
    kind = _QPTIFF_KIND.search(page.description)
    words = kind.group(1).lower() if kind else page.description[:200].lower()
    for name in NAMES:
        if re.search(rf"(^|\W){name}\b", words):
            return "macro" if name == "overview" else name
    magnification = page.tags.valueof(NDPI_MAGNIFICATION)
    if magnification in (-1, -2):
        return "macro" if magnification == -1 else "map"
    if is_reduction(size(page), size(base)):
        return "thumbnail"
    return {LABEL_SUBFILE: "label", MACRO_SUBFILE: "macro"}.get(int(page.subfiletype), "image")


def local(element: ElementTree.Element) -> str:
    """Return an element's tag without its namespace."""
    return element.tag.rpartition("}")[2]


def number(text: str) -> float | None:
    """Return the number a text starts with (decimal point or comma), None when there is none."""
    found = _NUMBER.match(text.strip())
    return float(found.group().replace(",", ".")) if found else None


def positive(value: object) -> float | None:
    """Return a positive magnification, None for everything else."""
    found = None
    with contextlib.suppress(TypeError, ValueError):
        found = number(str(value))
    return found if found and found > 0 else None
