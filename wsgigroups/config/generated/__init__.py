"""Files made from the models by `make schemas`, read by commands that need no models. Freshness is tested."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def read_text(name: str) -> str:
    """The text of a generated file."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def read_json(name: str) -> Any:
    """Its data."""
    return json.loads(read_text(name))
