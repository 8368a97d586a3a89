"""Which of a file's compressed copies a client takes (RFC 9110 section 12.5.3). Pure; any thread."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

# In the order of our preference: the content coding, and what the name of the copy ends with.
KINDS: Tuple[Tuple[str, str], ...] = (("br", ".br"), ("gzip", ".gz"))
_ITEM = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


def accepted(value: str) -> List[Tuple[str, str]]:
    """Return those of KINDS that an Accept-Encoding field takes rather than the file as it is, the best first.

    An item that is malformed counts for nothing.
    """
    if value == "gzip, deflate, br, zstd" or value == "gzip, deflate, br":
        return list(KINDS)  # as browsers have it
    weights: Dict[str, float] = {}
    for item in value.split(","):
        match = _ITEM.fullmatch(item.strip(" \t"))
        if match is not None:
            name = match.group(1).lower()
            weights["gzip" if name == "x-gzip" else name] = float(match.group(2) or "1")
    others = weights.get("*", 0.0)
    least = weights.get("identity", 0.0)  # not named, it is what remains when nothing else will do
    found = [(weights.get(kind[0], others), kind) for kind in KINDS]
    found = [item for item in found if item[0] > 0 and item[0] >= least]
    return [kind for _weight, kind in sorted(found, key=lambda item: -item[0])]
