"""Libraries that cannot live in one process with a window's graphics driver."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

logger = logging.getLogger(__name__)
MAPPED = Path("/proc/self/maps")


def avoid_second_llvm(mapped: Path = MAPPED) -> bool:
    """Keep Triton from being loaded beside a graphics driver that holds an LLVM of its own.

    PyTorch's CUDA builds bring Triton, which is imported with the network libraries though nothing
    of ours uses it (only `torch.compile` would). Mesa's software and AMD drivers load libLLVM when
    napari draws; Triton's library, loaded after that, ends the process with a segmentation fault
    (seen with Mesa 22.3, LLVM 15, Triton 3.9). Loaded before, it does no harm and is left alone.

    Parameters
    ----------
    mapped : Path
        Linux's list of the files mapped into this process; absent elsewhere.

    Returns
    -------
    bool
        Triton is kept out now.
    """
    if "triton" in sys.modules or not mapped.is_file() or "libLLVM" not in mapped.read_text():
        return False
    sys.modules["triton"] = None  # type: ignore[assignment]
    logger.info("Triton kept out of this process: the graphics driver has loaded LLVM")
    return True
