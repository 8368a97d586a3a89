"""`wsgigroups validate --fix`: write what is certain to be meant into the files.

Runs in the user's process. Everything else of a file stays as it is, byte for byte.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from wsgigroups.config import Loaded
    from wsgigroups.config.diagnostics import Span
    from wsgigroups.config.source import Source


def fix(result: Loaded) -> dict[str, int]:
    """Write what is certain; return how much by the names of files. Raises WsgigroupsError."""
    found: dict[str, dict[Span, str]] = {}
    for item in result.diagnostics:
        if item.fix is not None and item.file is not None and item.span is not None:
            found.setdefault(item.file, {})[item.span] = item.fix
    done = {}
    for name, fixes in found.items():
        source = result.source(name)
        if source is not None and os.path.isfile(name):  # what came from standard input is nobody's file
            _replace(Path(name), source.text, fixed(source, fixes))
            done[name] = len(fixes)
    return done


def fixed(source: Source, fixes: dict[Span, str]) -> str:
    """Return the text with what is to stand in the place of each span; they do not lie in each other."""
    starts = [0]
    for line in source.text.split("\n")[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    text = source.text
    for span, new in sorted(fixes.items(), reverse=True):
        begin, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        text = text[:begin] + new + text[end:]
    return text


def _replace(path: Path, before: str, after: str) -> None:
    """Exchange the whole file, with the mode and the owner that it had; a link stays one."""
    from wsgigroups.config.reading import untrusted

    doubt = untrusted(path)
    if doubt is not None:
        raise WsgigroupsError(
            f"cannot write {path} as root: another user could change {doubt}", hint="run it as the owner of the file"
        )
    target = Path(os.path.realpath(path))
    try:
        with open(target, encoding="utf-8", newline="") as file:
            if file.read() != before:
                raise WsgigroupsError(f"cannot fix {path}: it changed meanwhile", hint="run it again")
            status = os.fstat(file.fileno())
        fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        try:
            with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
                file.write(after)
                os.fchmod(fd, status.st_mode & 0o7777)
                if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(fd, status.st_uid, status.st_gid)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise WsgigroupsError(f"cannot fix {path}: {(error.strerror or str(error)).lower()}") from None
