"""Environment variables that are read before a group's environment is set, so that they do nothing there.

The interpreter of a spawner starts without them, and forks the processes of several groups; what these do set is for
the application, and for programs that it starts. The lists are those of python(1), "ENVIRONMENT VARIABLES", of the
documentation of CPython 3.8 to 3.14 ("Command line and environment"), and of ld.so(8).
"""

from __future__ import annotations

_OPTIONS = {
    "PYTHONHOME": "use python-home",
    "PYTHONPATH": "use python-path",
    "PYTHONUTF8": "use locale, or lang",
    "PYTHONIOENCODING": "use locale, or lang",
    "PYTHONCOERCECLOCALE": "use locale, or lang",
    "LANG": "use lang",
    "LC_ALL": "use locale",
    "LC_CTYPE": "use locale",
}
_IN_CODE = {
    "PYTHONDONTWRITEBYTECODE": "set sys.dont_write_bytecode = True first of all in the application",
    "PYTHONFAULTHANDLER": "leave it out: faulthandler is enabled in every process",
    "PYTHONUNBUFFERED": "leave it out: each line that is printed is written at once",
    "PYTHONWARNINGS": "call warnings.simplefilter or logging.captureWarnings in the application",
    "PYTHONTRACEMALLOC": "call tracemalloc.start in the application",
    "PYTHONINTMAXSTRDIGITS": "call sys.set_int_max_str_digits in the application",
    "PYTHONPYCACHEPREFIX": "set sys.pycache_prefix in the application",
    "PYTHONNOUSERSITE": "leave it out: a user's site-packages are never used",
    "PYTHONSAFEPATH": "leave it out: nothing but python-path is put before the modules",
}
# Others of the interpreter, for which there is no other place.
_NOWHERE = frozenset(
    (
        "PYTHONDEBUG",
        "PYTHONDEVMODE",
        "PYTHONDUMPREFS",
        "PYTHONDUMPREFSFILE",
        "PYTHONEXECUTABLE",
        "PYTHONHASHSEED",
        "PYTHONMALLOC",
        "PYTHONMALLOCSTATS",
        "PYTHONNODEBUGRANGES",
        "PYTHONOPTIMIZE",
        "PYTHONPERFSUPPORT",
        "PYTHONPLATLIBDIR",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONTHREADDEBUG",
        "PYTHONVERBOSE",
        "PYTHONWARNDEFAULTENCODING",
        "PYTHON_CONTEXT_AWARE_WARNINGS",
        "PYTHON_CPU_COUNT",
        "PYTHON_DISABLE_REMOTE_DEBUG",
        "PYTHON_FROZEN_MODULES",
        "PYTHON_GIL",
        "PYTHON_JIT",
        "PYTHON_PERF_JIT_SUPPORT",
        "PYTHON_PRESITE",
        "PYTHON_THREAD_INHERIT_CONTEXT",
        "PYTHON_TLBC",
    )
)


def late_variable(name: str) -> tuple[str, str] | None:
    """Return why a variable has no effect on the processes of a group, and what helps; None for all others."""
    if name in _OPTIONS or name in _IN_CODE or name in _NOWHERE:
        hint = _OPTIONS.get(name) or _IN_CODE.get(name) or "leave it out: the processes of all groups go without it"
        return f"{name} in environment comes too late: the interpreter has read it when it started", hint
    if name.startswith("LD_") or name in ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_"):
        hint = "it holds for programs that the application starts; put libraries where ldconfig finds them"
        hint = (
            hint if name in ("LD_LIBRARY_PATH", "LD_PRELOAD") else "it holds for programs that the application starts"
        )
        return f"{name} in environment comes too late: the C library has read it when the process was started", hint
    return None
