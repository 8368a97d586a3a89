"""Runs a file of settings in Python and tells what names it has set: plain data, and null for anything else.

Its text is given to an interpreter with -I -c, in a process of its own; nothing imports it. Standard library only,
Python 3.8 syntax. Reads a JSON object from standard input, writes one to standard output.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import json
import os
import sys
from typing import Any


class _GivenText(importlib.abc.InspectLoader):
    """A module whose text was given: who runs it need not be allowed to read its file."""

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path

    def get_source(self, fullname: str) -> str:
        return self._text

    def get_code(self, fullname: str) -> Any:
        return compile(self._text, self._path, "exec", dont_inherit=True)


def plain(value: Any) -> Any:
    """The value where JSON has it, numbers of enumerations too; None for everything else."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return None


def main() -> None:
    """Run what is asked for; an error is answered with its text."""
    question = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # what the file prints is no answer
    os.environ.update(question["variables"])
    answer: dict[str, Any] = {}
    try:
        with contextlib.suppress(OSError):  # root's own directories are closed to the user that this is, for root
            os.chdir(question["directory"])
        sys.path.insert(0, question["directory"])
        loader = _GivenText(question["text"], question["path"])
        spec = importlib.util.spec_from_loader("__config__", loader, origin=question["path"])
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        module.__file__ = question["path"]
        sys.modules["__config__"] = module
        loader.exec_module(module)
        names = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        modules = type(sys)
        settings = {name: plain(value) for name, value in names.items() if not isinstance(value, modules)}
        answer = {"settings": settings}
    except BaseException as error:  # noqa: BLE001  (SystemExit too: it is somebody else's program)
        answer = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(answers, "w") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
