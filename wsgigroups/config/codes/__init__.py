"""The catalogue of diagnostics: each code with its severity, what it means, and what to do. Pure.

Codes are stable: one is never reused and its meaning never changes. WG01 reading and syntax, WG02 keys and tables, WG03
values, WG04 names that refer to each other, WG05 values that do not work together, WG06 the host, WG07 a cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.codes.cluster import CLUSTER
from wsgigroups.config.codes.combinations import COMBINATIONS
from wsgigroups.config.codes.entry import Code
from wsgigroups.config.codes.host import HOST
from wsgigroups.config.codes.reading import READING
from wsgigroups.config.codes.references import REFERENCES
from wsgigroups.config.codes.structure import STRUCTURE
from wsgigroups.config.codes.values import VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.diagnostics import Severity

CODES: Mapping[str, Code] = {
    entry.code: entry for entry in (*READING, *STRUCTURE, *VALUES, *REFERENCES, *COMBINATIONS, *HOST, *CLUSTER)
}


def severity_of(code: str) -> Severity:
    """The severity of a code. Raises KeyError for one that is not in the catalogue."""
    return CODES[code].severity


__all__ = ["CODES", "Code", "severity_of"]
