"""What runs beside an application has nothing of the standard library that an application could have patched.

Reads syntax trees: modules that eventlet, gevent and their like patch come from `runtime/originals.py`; what is written
in Python and looks up patched functions by itself is not used; and nothing is imported after the start.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.tree import parsed, python_files

RUNTIME = "wsgigroups/runtime"
# Nothing of these runs in a process that has an application; the confinement is over before it is loaded.
APART = ("spawner", "answerer", "logwriter", "confinement", "gateway")
PATCHED = {
    *("os", "select", "selectors", "signal", "socket", "ssl", "time", "threading", "_thread", "queue", "subprocess"),
    *("logging", "codecs", "builtins", "tempfile", "asyncio", "multiprocessing", "concurrent", "socketserver", "http"),
}
ALLOWED = {
    "originals.py": PATCHED,
    "threads.py": {"_thread", "threading"},  # it looks whether they are patched
    "accelerator.py": {"os"},  # when it is imported
    "daemon/ending.py": {"threading"},  # the application's threads, whatever they are by then
    "daemon/stacks.py": {"threading"},  # likewise
    "daemon/leftovers.py": {"threading"},  # likewise, where they are the system's
    "daemon/failure.py": {"os.path"},  # a name, bound when it is imported
    "wire/sender.py": PATCHED,  # the manager's and the spawner's
}
# Before an application is loaded.
EARLY_OPEN = {"wire/origin.py", "daemon/resources.py", "wire/identity.py"}
LAZY_IMPORTS = {"accelerator.py", "daemon/main.py"}  # of the latter: a gateway, which never loads one


def beside() -> list[tuple[str, Path]]:
    """The files, by their names below the runtime."""
    found = [(str(path).partition(RUNTIME + "/")[2], path) for path in python_files(RUNTIME)]
    return [(name, path) for name, path in found if name.partition("/")[0] not in APART]


def test_the_list_is_of_files_that_exist() -> None:
    names = {name for name, _path in beside()}
    assert names >= ALLOWED.keys() | EARLY_OPEN
    assert len(names) > 60


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=name) for name, path in beside()])
def test_nothing_is_looked_up_in_a_module_that_can_be_patched(name: str, path: Path) -> None:
    tree = parsed(path)
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [str(node.module)]
        for module in modules:
            touched = module.partition(".")[0] in PATCHED and module not in ALLOWED.get(name, set())
            assert not touched, f"{path}:{node.lineno} imports {module}: take it from runtime/originals.py"
        is_open = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
        assert not is_open or name in EARLY_OPEN, f"{path} calls open(), which may be the application's: use os.open"


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=name) for name, path in beside()])
def test_nothing_is_imported_when_it_is_called(name: str, path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            late = [inner for inner in ast.walk(node) if isinstance(inner, (ast.Import, ast.ImportFrom))]
            assert not late or name in LAZY_IMPORTS, f"{path}:{late[0].lineno} imports late"
