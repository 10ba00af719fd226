"""What is installed, what is missing, and which device would run the network."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from napari_breastpath.results.provenance import PACKAGES, version

# Pairs the tests run against; others may work.
TESTED = {"tifffile": ("2026.3.3", "2027"), "zarr": ("3.1.6", "4")}
OPTIONAL = {
    "ncnn": "cpu",
    "pnnx": "cpu",
    "openvino": "cpu",
    "onnxruntime": "cpu",
    "distributed": "cluster",
    "highdicom": "dicom",
    "lightning": "train",
    "scikit-learn": "train",
    "skops": "train",
    "weasyprint": "report",
    "pyarrow": "tables",
    "PyQt6": "all",
}


def findings() -> Iterator[tuple[str, str]]:
    """Yield (what, finding) lines, the most asked-for first."""
    yield "system", f"{platform.platform()}, Python {platform.python_version()}"
    yield from device_findings()
    yield from room_findings()
    for name in PACKAGES:
        yield name, package_finding(name)
    yield "OpenSlide library", openslide_version()
    for name, extra in OPTIONAL.items():
        found = version(name)
        yield f"{name} (optional)", found or f'missing: pip install "napari-breastpath[{extra}]"'


def device_findings() -> Iterator[tuple[str, str]]:
    """Yield the device and the engine that `auto` means here, each with its reason."""
    from napari_breastpath.models import choose_device, choose_engine

    device = choose_device("auto")
    yield "device", f"{device.name} ({device.reason})"
    engine, reason = choose_engine("auto", device)
    yield "engine", f"{engine} ({reason})"


def room_findings() -> Iterator[tuple[str, str]]:
    """Yield free memory and disk."""
    import psutil

    memory = psutil.virtual_memory()
    yield "memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
    yield "disk here", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free"


def package_finding(name: str) -> str:
    """Return a package's version, with a warning outside the range that is tested."""
    found = version(name)
    if found is None:
        return "missing"
    return found + range_warning(name, found)


def range_warning(name: str, found: str) -> str:
    """Return a warning where `found` lies outside the tested range of a package, else nothing."""
    from packaging.version import Version

    if name not in TESTED:
        return ""
    low, high = TESTED[name]
    tested = Version(low) <= Version(found) < Version(high)
    return "" if tested else f"  WARNING: tested with {low} up to (not including) {high}"


def openslide_version() -> str:
    """Return the version of the OpenSlide library itself."""
    try:
        import openslide
    except (ImportError, OSError) as error:
        return f"missing ({error})"
    return str(openslide.__library_version__)
