"""Waits at the gate while it is imported (`gated_app`, word `import`), then is a healthy application."""

from gated_app import application, wait_at_gate

__all__ = ["application"]

wait_at_gate("import")
