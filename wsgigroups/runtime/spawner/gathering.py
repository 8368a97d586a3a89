"""Have the code that every process runs at its start lie side by side in memory, before the first one is forked.

Runs once in the spawner's only thread. CPython counts references in the objects themselves, so that a process gets a
page of its own for each that has the code of a function it calls, most of which it shares with code that it never
calls. started.txt names the functions (written by `python -m tools.started`); what another version of Python has not
is left out.
"""

from __future__ import annotations

import gc
import os
import types
from typing import Any, FrozenSet, List

_LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "started.txt")
_OWN = __name__.rpartition(".spawner.")[0]

# Stay allocated: in the gaps that they would leave, processes would write.
_former: List[types.CodeType] = []


def started() -> FrozenSet[str]:
    """Return the names, "module:qualified name"; modules of ours begin with a dot. Empty where there is no list."""
    try:
        with open(_LIST, encoding="ascii") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


def gather(names: FrozenSet[str]) -> int:
    """Give these functions code objects that are made one after the other; return how many there are."""
    functions = [found for found in gc.get_objects() if type(found) is types.FunctionType and name(found) in names]
    codes = [_copied(function.__code__) for function in functions]
    for function, code in zip(functions, codes):
        _former.append(function.__code__)
        function.__code__ = code
    return len(functions)


def name(function: Any) -> str:
    """Return the name of a function as the list has it."""
    module = function.__globals__.get("__name__", "")  # that of importlib's own functions has changed since
    if module == _OWN or module.startswith(_OWN + "."):
        module = module[len(_OWN) :] or "."
    return "%s:%s" % (module, function.__qualname__)


def _copied(code: types.CodeType) -> types.CodeType:
    """Copy code with that of the functions in it."""
    return code.replace(
        co_consts=tuple(_copied(item) if isinstance(item, types.CodeType) else item for item in code.co_consts)
    )
