"""The words of the `breastpath` command; importing this loads nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_breastpath import __version__
from napari_breastpath.core.geometry import Box
from napari_breastpath.exchange.formats import FORMATS

ANALYSES = ("tumour",)
IMPORTS = ("edits", "tissue", "regions")
EXPORTS = tuple(FORMATS)


def pixel_size(text: str) -> tuple[float, float]:
    """Read `X` or `X,Y` µm/px."""
    values = [float(part) for part in text.split(",")]
    if len(values) not in (1, 2) or not all(0 < v < float("inf") for v in values):
        raise argparse.ArgumentTypeError("give µm/px as X or X,Y, greater than 0")
    return values[0], values[-1]


def magnification(text: str) -> float:
    """Read an objective's magnification, greater than 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("give a magnification such as 40")
    return value


def region(text: str) -> Box:
    """Read `x,y,w,h` in level-0 pixels."""
    values = [float(part) for part in text.split(",")]
    if len(values) != 4 or min(values[2:]) <= 0:
        raise argparse.ArgumentTypeError("give x,y,width,height in level-0 pixels")
    return Box(*values)


def probability(text: str) -> float:
    """Read a number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("give a probability between 0 and 1")
    return value


def positive(text: str) -> int:
    """Read a whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1")
    return value


def renaming(text: str) -> tuple[str, str]:
    """Read `NAME=CLASS`."""
    name, sign, target = text.rpartition("=")
    if not sign or not target:
        raise argparse.ArgumentTypeError("give NAME=CLASS, NAME=erase or NAME=ignore")
    return name, target


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command; each sets `command`."""
    parser = argparse.ArgumentParser(
        prog="breastpath",
        description="Analyse breast-cancer whole-slide images. Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"breastpath {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in _ADDERS:
        add(commands, common)
    return parser


_Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    name: str,
    text: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=text, parents=[common])


def _analysis_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--analysis", choices=ANALYSES, default="tumour")
    add("--model", help="name or folder of a model bundle")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    add("--engine", choices=("auto", "torch", "ncnn", "onnxruntime", "openvino"), default="auto")
    stains = ("vahadane", "macenko", "staintools", "none")
    add("--stain", choices=stains, default="vahadane", help="stain normalisation")
    add("--tissue", default="otsu", metavar="otsu|yen|none|FILE", help="where tissue is")
    add("--threshold", type=probability, default=0.5, help="one-class models only")
    specimens = ("node", "primary", "unspecified")
    add("--specimen", choices=specimens, default="unspecified")
    add("--no-resume", action="store_true", help="start anew; the old folder is kept as .bak-N")


def _analyze(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "analyze", "Analyse slides into result folders.")
    add = parser.add_argument
    add("slides", nargs="+", type=Path, metavar="SLIDE")
    add("--out", type=Path, required=True, metavar="DIR")
    _analysis_options(parser)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--mpp", type=pixel_size, metavar="X[,Y]", help="µm/px of level 0")
    size.add_argument("--magnification", type=magnification, metavar="M", help="objective, e.g. 40")
    add("--region", type=region, metavar="x,y,w,h", help="part of the slide, level-0 px")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler")
    where.add_argument("--workers", type=positive, default=1, metavar="N", help="processes")
    add("--json", action="store_true", help="one JSON line per slide on stdout")


def _measure(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "measure", "Measure a result again.")
    words = "the same network with another second stage to score with"
    parser.add_argument("--model", help=words)
    parser.add_argument("result", type=Path, metavar="RESULT")
    parser.add_argument("--threshold", type=probability)
    parser.add_argument("--specimen", choices=("node", "primary", "unspecified"))


def _import(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = "Bring annotations or labels into a result and measure it again."
    parser = _add(commands, common, "import", text)
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT")
    files = "GeoJSON, ASAP, ImageScope or CAMELYON file, label image or OME-Zarr labels"
    add("file", type=Path, metavar="FILE", help=files)
    ways = "paint over the mask, replace the tissue, or be the mask (default)"
    add("--as", dest="what", choices=IMPORTS, help=ways)
    mapping = "what a class of the file means: a class of the model, erase or ignore"
    add(
        "--class",
        dest="classes",
        type=renaming,
        action="append",
        metavar="NAME=CLASS",
        help=mapping,
    )


def _export(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "export", "Write a result in a foreign format.")
    parser.add_argument("result", type=Path, metavar="RESULT")
    parser.add_argument("--to", choices=EXPORTS, required=True, metavar="|".join(EXPORTS))
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    words = "dicom-seg: the probabilities instead of the mask"
    parser.add_argument("--fractional", action="store_true", help=words)
    words = "csv, parquet: a row per nucleus or other object instead of per region"
    parser.add_argument("--objects", action="store_true", help=words)


def _report(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "report", "Write the report of each result, a page to read.")
    add = parser.add_argument
    add("results", nargs="+", type=Path, metavar="RESULT")
    table = "columns patient, slide[, node]: roll nodes up to patients on the worklist"
    add("--patients", type=Path, metavar="CSV", help=table)
    add("--pdf", action="store_true", help="report.pdf too")
    add("--with-label", action="store_true", help="show the patient label and macro image")
    where = "folder of worklist.html (several results); by default the one that holds them all"
    add("--out", type=Path, metavar="DIR", help=where)


def _log(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "log", "Say who corrected what in a result, and when.")
    parser.add_argument("result", type=Path, metavar="RESULT")
    parser.add_argument("--json", action="store_true", help="one JSON line per entry")


def _compare(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = "Compare two readers' corrections of one slide."
    parser = _add(commands, common, "compare", text)
    parser.add_argument("a", type=Path, metavar="RESULT_A")
    parser.add_argument("b", type=Path, metavar="RESULT_B")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")


def _models(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = "List, show, install, verify, trust or export models."
    parser = _add(commands, common, "models", text)
    add = parser.add_argument
    add("action", choices=("list", "show", "install", "verify", "trust", "export"))
    add("name", nargs="?", help="name or folder; install: also a zip")
    add("--available", action="store_true", help="list: also what can be installed")
    add("--from", dest="folder", type=Path, metavar="FOLDER", help="install: files fetched by hand")
    add("--weights", metavar="FILE", help="install: e.g. model.safetensors, numbers only")
    add("--hub", metavar="URL", help="list, install: where models are (or BREASTPATH_HUB)")
    add("--yes", action="store_true", help="trust: without being asked")
    add("--to", choices=("wsinfer", "onnx"), help="export: format")
    add("--out", type=Path, metavar="FOLDER", help="export: a new folder")


def _doctor(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    _add(commands, common, "doctor", "Say what is installed and which device would be used.")


def _demo(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "demo", "Analyse the embedded sample slide.")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")
    parser.add_argument("--no-resume", action="store_true")


def _view(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "view", "Open napari with the plugin docked.")
    parser.add_argument("path", nargs="?", type=Path, metavar="SLIDE|RESULT")


def _evaluate(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = "Measure predictions against the truth, as the challenges do."
    parser = _add(commands, common, "evaluate", text)
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.toml", help="docs/evaluation.md lists its keys")
    add("--out", type=Path, metavar="DIR", help="metrics.json, cases.csv, plots and a page")
    add("--json", action="store_true", help="the measures as JSON on stdout")


def _fit_score(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    text = "Fit a model's second stage: heatmap features to metastasis and major axis."
    parser = _add(commands, common, "fit-score", text)
    add = parser.add_argument
    words = "result folders, or a CSV of slide and the 28 features"
    add("features", nargs="+", type=Path, metavar="FEATURES", help=words)
    words = "CSV slide, patient, metastasis (0 or 1), major_axis_mm where known"
    add("labels", type=Path, metavar="LABELS.csv", help=words)
    add("--out", type=Path, metavar="BUNDLE", help="folder of the bundle to write")
    add("--model", help="bundle that made the maps; by default the one that the results name")
    add("--estimator", metavar="NAME", help="this one instead of the best")
    add("--folds", type=positive, default=5, metavar="K")
    add("--seed", type=int, default=0)
    add("--row", choices=("model", "corrected"), default="model", help="which features of results")
    add("--json", action="store_true", help="the comparison as JSON on stdout")


def _train(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    parser = _add(commands, common, "train", "Train a model as a config says, or go on with it.")
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.toml", help="docs/training.md lists its keys")
    add("--out", type=Path, metavar="DIR", help="the run folder, instead of the config's")
    add("--fold", type=positive, metavar="K", help="only this fold of a cross validation")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    add("--no-resume", action="store_true", help="start anew; the old folder is kept as .bak-N")


_ADDERS = (
    _analyze,
    _measure,
    _import,
    _export,
    _report,
    _models,
    _train,
    _evaluate,
    _fit_score,
    _log,
    _compare,
    _doctor,
    _demo,
    _view,
)
