"""The signs before names, and the colours of words: a sign and a word say the same, nothing is said by colour alone.

Runs in the user's process.
"""

from __future__ import annotations

import sys

STYLE = {
    "ready": "green",
    "degraded": "yellow",
    "starting": "cyan",
    "draining": "cyan",
    "stopping": "cyan",
    "backoff": "red",
    "failed": "red",
    "asleep": "dim",
    "stopped": "dim",
}
_SIGN = {
    "ready": "●",
    "degraded": "◐",
    "starting": "◌",
    "draining": "◌",
    "stopping": "◌",
    "backoff": "✗",
    "failed": "✗",
    "asleep": "○",
    "stopped": "○",
}
_PLAIN = str.maketrans(
    {"●": "*", "◐": "!", "◌": "~", "✗": "x", "○": "o", "✓": "+", "→": "->", "·": "-", "–": "-", "…": "..."}
)


def sign(state: str) -> str:
    """Return the sign of the state of a group or a process."""
    return _SIGN.get(state, "?")


def written_to_stderr(text: str) -> str:
    """Return a text of ours as standard error can take it."""
    return writable(text, getattr(sys.stderr, "encoding", None) or "ascii")


def writable(text: str, encoding: str) -> str:
    """Return a text of ours as a terminal of this encoding can show it."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.translate(_PLAIN)
    return text
