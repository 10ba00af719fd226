"""Tiles, blending and the engine that runs a network over a slide."""

from napari_breastpath.inference.engine import Job, Outcome, run
from napari_breastpath.inference.grid import Grid, tiles_touching
from napari_breastpath.inference.plan import (
    Plan,
    first_blocks,
    initial_states,
    plan_addition,
    plan_run,
)
from napari_breastpath.inference.stitch import Blocks

__all__ = [
    "Blocks",
    "Grid",
    "Job",
    "Outcome",
    "Plan",
    "first_blocks",
    "initial_states",
    "plan_addition",
    "plan_run",
    "run",
    "tiles_touching",
]
