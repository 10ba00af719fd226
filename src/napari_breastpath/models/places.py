"""Where models lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

EMBEDDED = Path(__file__).with_name("embedded")
APP = "napari-breastpath"


def models_folder() -> Path:
    """Return the folder of the user's own models; BREASTPATH_MODELS overrides the default."""
    chosen = os.environ.get("BREASTPATH_MODELS")
    return Path(chosen).expanduser() if chosen else _data_home() / APP / "models"


def _data_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
