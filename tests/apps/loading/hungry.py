"""Takes more memory while it is imported than a small memory-limit allows."""

from hello_app import application

__all__ = ["application"]

BLOCK = bytearray(1 << 30)
