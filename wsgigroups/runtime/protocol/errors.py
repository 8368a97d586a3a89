"""What the protocol code raises: a message that must be refused, and the status that says why."""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer broke the protocol or a limit: answer `status`, if an answer is still possible, and close.

    keep: nothing was broken; the server itself answers this whole request, and the connection may go on.
    """

    def __init__(self, status: int, reason: str, keep: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.keep = keep
