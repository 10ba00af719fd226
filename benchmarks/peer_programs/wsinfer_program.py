"""WSInfer on one slide with a model folder of its zoo's layout, in an environment of its own.

The steps of `wsinfer run`, which itself asks the network for a list of models when it is imported.
A question names slides (a folder with one), model, out, batch and workers; the answer says the
seconds and the processor's seconds, how many of them went into finding patches, and how many
patches there were.
"""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
from answering import serve
from wsinfer.modellib.models import LocalModelTorchScript
from wsinfer.modellib.run_inference import run_inference
from wsinfer.patchlib import segment_and_patch_directory_of_slides
from wsinfer.write_geojson import write_geojsons
from wsinfer_zoo.client import ModelConfiguration


def run(slides: str, model: str, out: str, batch: int, workers: int) -> dict[str, Any]:
    """Find tissue, infer, write CSV and GeoJSON."""
    shutil.rmtree(out, ignore_errors=True)
    folder, results = Path(model), Path(out)
    started, spent = time.perf_counter(), processor_s()
    config = ModelConfiguration.from_dict(json.loads((folder / "config.json").read_text()))
    segment_and_patch_directory_of_slides(
        slides, results, config.patch_size_pixels, config.spacing_um_px
    )
    patched = time.perf_counter()
    network = LocalModelTorchScript(config, str(folder / "torchscript_model.pt"))
    run_inference(slides, results, network, batch_size=batch, num_workers=workers)
    tables = list((results / "model-outputs-csv").glob("*.csv"))
    write_geojsons(tables, results, max(1, workers))
    return {
        "seconds": time.perf_counter() - started,
        "processor": processor_s() - spent,
        "patching": patched - started,
        "count": sum(len(pd.read_csv(table)) for table in tables),
    }


def processor_s() -> float:
    """Return the processor's seconds of this process and of its ended workers."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    serve(run)
