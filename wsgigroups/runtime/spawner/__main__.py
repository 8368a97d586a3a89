"""Start of a spawner: `PYTHON -I -S …/runtime/spawner/__main__.py --listen-fd N --key KEY …`.

With `launch` as its first word it is the start of what becomes another user and then starts a spawner: `launch.py`;
with `answer` that of the answerer: `answerer/main.py`; with `write-logs` that of the log writer: `logwriter/main.py`.

Loads the runtime package by its path under a private name, so that sys.path stays the interpreter's own and nothing
else that lies beside the package can be imported by an application. Must not import anything of ours by another way.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import sys

PACKAGE = "wsgigroups_runtime"
OTHERS = {"launch": ".spawner.launch", "answer": ".answerer.main", "write-logs": ".logwriter.main"}  # by a first word


def main() -> int:
    """Load the runtime and run the spawner; returns its exit code."""
    gc.disable()  # no holes for later allocations in pages that the daemons are to share; the spawner switches it on
    directory = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    if spec is None or spec.loader is None:
        raise ImportError("cannot load the runtime from %s" % directory)
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    word = sys.argv[1] if sys.argv[1:] else ""
    command = importlib.import_module(PACKAGE + OTHERS.get(word, ".spawner.command"))
    code: int = command.main(sys.argv[2 if word in OTHERS else 1 :])
    return code


if __name__ == "__main__":
    sys.exit(main())
