"""Whether only root can change what an interpreter executes before it executes anything of ours. Runs nothing.

Judged by walking paths: the executable and what the dynamic loader takes with it, the standard library and
lib-dynload, where `python -I -S` looks for them (getpath: up from the executable). A spawner that is root's is only
started with an interpreter about which there is no doubt. What lies in site-packages is no part of it: it is a
daemon's, after it has become its user.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from wsgigroups.trust.elf import NotElfError, read_loading
from wsgigroups.trust.judging import ROOT_ALONE, Doubt, Trusted
from wsgigroups.trust.walking import doubt_about, doubt_below

_NAME = re.compile(r"python(\d+)\.(\d+)([a-z]*)$")
_LIBRARIES = ("lib", "lib64")  # sys.platlibdir
_NOT_OURS = frozenset({"site-packages", "dist-packages", "test"})  # of a standard library: nothing root would import
_MAXIMUM_LIBRARIES = 256


def doubt_about_interpreter(executable: Path, trusted: Trusted = ROOT_ALONE) -> Doubt | None:
    """Return what speaks against starting it as root, None if nothing does. executable: an absolute path."""
    real = Path(os.path.realpath(executable))
    doubt = doubt_about(str(executable), trusted) or _doubt_about_program(real, trusted)
    if doubt:
        return doubt
    named = _NAME.match(real.name)
    if not named:
        return Doubt(str(real), "its name does not tell its version, and so not its standard library")
    version, flavour = f"{named[1]}.{named[2]}", named[3]
    names = dict.fromkeys((f"python{version}", f"python{version}{flavour}"))
    above = [real.parent, *real.parent.parents]
    places = [place / library / name for place in above for library in _LIBRARIES for name in names]
    there = [place for place in places if (place / "os.py").exists() or (place / "lib-dynload").exists()]
    found = list({os.path.realpath(place): place for place in there}.values())
    for landmark in ("os.py", "lib-dynload"):
        if not any((place / landmark).exists() for place in found):
            return Doubt(str(real), f"there is no lib/python{version}/{landmark} above it")
    for place in found:
        doubt = _doubt_about_library(place, trusted)
        if doubt:
            return doubt
    return None


def _doubt_about_program(real: Path, trusted: Trusted) -> Doubt | None:
    """The executable, and files beside it that would send it elsewhere for its standard library."""
    elsewhere = [real.parent / "pyvenv.cfg", real.parent.parent / "pyvenv.cfg", real.parent / "pybuilddir.txt"]
    for path in (*elsewhere, *real.parent.glob("*._pth")):
        if os.path.lexists(path):
            return Doubt(str(path), "it sends the interpreter elsewhere for its standard library")
    return _doubt_about_loading(real, trusted, set())


def _doubt_about_library(place: Path, trusted: Trusted) -> Doubt | None:
    major_minor = place.name.removeprefix("python").replace(".", "")
    doubt = doubt_about(str(place), trusted) or doubt_about(str(place.parent / f"python{major_minor}.zip"), trusted)
    doubt = doubt or doubt_below(str(place), trusted, _NOT_OURS)
    if doubt:
        return doubt
    seen: set[str] = set()
    for module in sorted((place / "lib-dynload").glob("*.so")):
        doubt = _doubt_about_loading(module, trusted, seen)
        if doubt:
            return doubt
    return None


def _doubt_about_loading(file: Path, trusted: Trusted, seen: set[str]) -> Doubt | None:
    """The file, and the libraries that it names where the system's own configuration does not decide (ld.so(8))."""
    real = os.path.realpath(file)
    if real in seen:
        return None
    if len(seen) > _MAXIMUM_LIBRARIES:
        return Doubt(real, "it loads more libraries than were looked at")
    seen.add(real)
    doubt = doubt_about(str(file), trusted)
    if doubt:
        return doubt
    try:
        loading = read_loading(real)
    except (NotElfError, OSError) as error:
        return Doubt(real, f"what it loads cannot be told: {error}")
    if loading.interpreter:
        doubt = doubt_about(loading.interpreter, trusted)
        if doubt:
            return doubt
    if any("/" in name for name in loading.needed):
        return Doubt(real, "it loads a library by its path")
    for text in loading.search:
        doubt = _doubt_about_search(real, text, loading.needed, trusted, seen)
        if doubt:
            return doubt
    return None


def _doubt_about_search(
    real: str, text: str, needed: tuple[str, ...], trusted: Trusted, seen: set[str]
) -> Doubt | None:
    """A directory that a file has its libraries looked for in, and those of them that are there."""
    # $ORIGIN is the only word that can be replaced without asking the loader
    directory = re.sub(r"\$(ORIGIN\b|\{ORIGIN\})", lambda _found: os.path.dirname(real), text)
    if not directory.startswith("/") or "$" in directory:
        return Doubt(real, f"it loads libraries from {text!r}")
    doubt = doubt_about(directory, trusted)
    for name in needed:
        library = Path(directory, name)
        if doubt is None and library.exists():
            doubt = _doubt_about_loading(library, trusted, seen)
    return doubt
