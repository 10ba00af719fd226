"""Which device and engine run a network, and why."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from napari_breastpath.core.errors import InferenceError

# By their speed on the CPU (`benchmarks/engines.py`). ncnn is that only for networks whose work is
# in dense 3 × 3 convolutions, such as a ResNet's: `ncnn_graph.suits_ncnn`.
# 8-bit integers are not offered: on a CPU without VNNI OpenVINO took 23 ms of processor with them
# where float32 took 33, but 0.46 % of tumour-demo's masks changed (Dice, one slide), and they need
# tiles to calibrate them that bundles do not hold (`benchmarks/int8.py`).
ENGINES = ("ncnn", "onnxruntime", "openvino", "torch")
INSTALL = 'pip install "napari-breastpath[cpu]"'


class OutOfMemory(InferenceError):
    """The device has no room for a batch of this size; a smaller one may fit."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a network runs (`cpu`, `cuda`, `cuda:1`, `mps`) and why there, in words."""

    name: str
    reason: str

    @property
    def kind(self) -> str:
        """The name without an index."""
        return self.name.partition(":")[0]


def choose_device(wanted: str = "auto") -> Device:
    """Return the device to use: CUDA before MPS before the CPU, unless one is wanted.

    Raises
    ------
    InferenceError
        The wanted device is not here.
    """
    present = _present_devices()
    if wanted == "auto":
        name = next(iter(present))
        return Device(name, present[name])
    if wanted.partition(":")[0] not in present:
        cause = f"is not available ({_absence(wanted)})"
        raise InferenceError(f"device {wanted}", cause, "choose auto or " + " or ".join(present))
    return Device(wanted, "as asked")


def _present_devices() -> dict[str, str]:
    """Return the devices of this machine, the fastest first, each with its reason."""
    import torch

    present = {}
    if torch.cuda.is_available():
        present["cuda"] = f"fastest here: {torch.cuda.get_device_name()}"
    if torch.backends.mps.is_available():
        present["mps"] = "Apple GPU, no CUDA here"
    absences = [_absence("cuda")] + ([] if "mps" in present else [_absence("mps")])
    return present | {"cpu": "; ".join(absences)}


def _absence(wanted: str) -> str:
    """Return in words why a kind of device cannot be used."""
    import torch

    kind = wanted.partition(":")[0]
    if kind == "cuda":
        built = torch.version.cuda is not None
        return "no usable CUDA GPU" if built else "this PyTorch is built without CUDA"
    return "no Apple GPU" if kind == "mps" else "no such device"


def choose_engine(wanted: str, device: Device) -> tuple[str, str]:
    """Return (engine, reason): PyTorch on a GPU; on the CPU the first installed of `ENGINES`.

    Raises
    ------
    InferenceError
        The wanted engine is unknown, not installed or not for this device.
    """
    if wanted == "auto":
        return best_engine(device)
    if wanted not in ENGINES:
        advice = f"choose auto or {' or '.join(ENGINES)}"
        raise InferenceError(f"engine {wanted}", "is unknown", advice)
    if wanted != "torch" and device.kind != "cpu":
        cause = f"runs on the CPU here, not on {device.name}"
        raise InferenceError(f"engine {wanted}", cause, "choose --device cpu or --engine torch")
    if not is_installed(wanted):
        raise InferenceError(f"engine {wanted}", "is not installed", INSTALL)
    return wanted, "as asked"


def best_engine(device: Device, engines: tuple[str, ...] = ENGINES) -> tuple[str, str]:
    """Return the first of `engines` that is installed, and why it is taken."""
    if device.kind != "cpu":
        return "torch", f"PyTorch drives {device.name}"
    missing: list[str] = []
    for name in engines:
        if is_installed(name):
            others = f"; {' and '.join(missing)} not installed" if missing else ""
            return name, f"the fastest on a CPU that is installed{others}"
        missing.append(name)
    raise InferenceError("engines", "none is installed", INSTALL)


def installed_from(engine: str) -> tuple[str, ...]:
    """Return an engine, and those of `ENGINES` after it that are installed."""
    after = ENGINES[ENGINES.index(engine) + 1 :]
    return engine, *(name for name in after if is_installed(name))


def is_installed(engine: str) -> bool:
    """Tell whether an engine's packages are here."""
    needed = ("ncnn", "pnnx") if engine == "ncnn" else (engine,)
    return all(importlib.util.find_spec(name) is not None for name in needed)
