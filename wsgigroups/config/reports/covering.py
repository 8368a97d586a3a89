"""Lines of a file for a report, with what may be a secret covered: reports end in the logs of CI. Pure.

Covered are the values of `environment`, each character by `*`, so that a mark under the line stands where it stood.
Where a file could not be parsed, or keys are set again, nobody knows what its values are: there it is what follows a
name in a table of that name, or a name that sounds of a secret. Passwords in URLs are covered everywhere (RFC 3986,
section 3.2.1).
"""

from __future__ import annotations

import bisect
import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsgigroups.config.source import Source

TABLE = "environment"
SOUNDS_SECRET = re.compile(r"SECRET|PASSW|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
_PASSWORD = re.compile(r"(?<=://)([^/@:\s\"']*:)([^/@\s\"']+)(?=@)")
_ASSIGNED = re.compile(r"""(?P<name>[\w.-]+)["']?[ \t]*[=:](?P<value>.*)""")
_SEEN = re.compile(r"[^\s\"'\[\]{}]")
_ABOVE = 200  # lines that are looked at for the table that a line of a broken file is in


def covered(source: Source, number: int) -> str:
    """Return a line of the source, the first is 1; as long as it is in the file."""
    line = source.line(number)
    spans = list(_values(source, number)) if source.data else []
    if source.again or not source.data:
        spans += _behind_names(source, number, line)
    for start, end in spans:
        line = line[:start] + _SEEN.sub("*", line[start:end]) + line[end:]
    return _PASSWORD.sub(lambda found: found[1] + "*" * len(found[2]), line)


def _values(source: Source, number: int) -> Iterator[tuple[int, int]]:
    begin, after = source.offsets_of(number)
    values = source.values_within(TABLE)
    first = max(0, bisect.bisect_right(values, (begin, begin)) - 1)  # one that began on a line before may go on
    for start, end in itertools.takewhile(lambda value: value[0] < after, itertools.islice(values, first, None)):
        yield max(0, start - begin), max(0, end - begin)


def _behind_names(source: Source, number: int, line: str) -> Iterator[tuple[int, int]]:
    found = _ASSIGNED.search(line)
    in_table = _in_table(source, number, line)
    if found and (in_table or SOUNDS_SECRET.search(line[: found.start("value")])):
        yield found.span("value")
    elif in_table:  # a further line of a value
        yield 0, len(line)


def _in_table(source: Source, number: int, line: str) -> bool:
    if TABLE in line:
        return True
    indented = len(line) - len(line.lstrip())
    for above in range(number - 1, max(0, number - _ABOVE), -1):
        text = source.line(above)
        bare = text.strip()
        if bare.startswith("[") or (bare.endswith(":") and len(text) - len(text.lstrip()) < indented):
            return TABLE in bare
    return False
