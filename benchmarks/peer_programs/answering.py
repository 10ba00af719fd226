"""How a program in a peer's environment obeys: a question a line on stdin, an answer on stdout."""

import json
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        print(f"answer: {json.dumps(answer(**json.loads(line)))}", flush=True)
