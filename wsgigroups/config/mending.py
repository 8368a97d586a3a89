"""What to write instead of a mistake: the hint that says it, and the text that `validate --fix` writes. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.config.diagnostics import Finding
    from wsgigroups.config.source import Path, Source

_PLAIN = re.compile(r"[^\s\"'*&!|>%@`{}\[\],#][^\n\"'#{}]*")
_KEY = re.compile(r"[\"']?[A-Za-z0-9_-]+[\"']?")


def mended(source: Source, path: Path, finding: Finding) -> tuple[str | None, str | None]:
    """Return the hint, and what to write in the place of the span; None where that is not certain.

    path: where it stands in that file.
    """
    mend = finding.mend
    if mend is None:
        return finding.hint, None
    text = source.written(path, key=finding.at_key)
    if finding.at_key:
        certain = mend.certain and text is not None and _KEY.fullmatch(text)
        return finding.hint, mend.text if certain else None
    if mend.text is None:
        if text is None or not _PLAIN.fullmatch(text):
            return finding.hint, None
        octal = re.fullmatch("0o[0-7]+", text) if finding.code == "WG0310" else None
        quoted = json.dumps(f"0{text[2:]}" if octal else text, ensure_ascii=False)
        what = "the octal digits in quotes: " if finding.code == "WG0310" else ""
        return finding.hint if mend.covered else f"write {what}{quoted}", quoted if mend.certain else None
    # an alias stands for values elsewhere, a variable for what is set: neither is to be written over
    free = text is not None and "${" not in text and not text.startswith(("*", "&", "!", "|", ">")) and "\n" not in text
    return finding.hint or f"write {mend.text}", mend.text if free and mend.certain else None
