"""What all documents of the control API have in common. Pure.

What no encoder takes in a tenant's text or a file's name is written as escapes here: it never spoils an answer.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _encodable(value: Any) -> Any:
    """Write lone surrogates, of names that are no UTF-8, as escapes; JSON has no other way (RFC 8259 section 8.2)."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_encodable)]


class Document(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # made once it is answered with
