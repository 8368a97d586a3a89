# -*- coding: latin-1 -*-
"""A script file in another encoding, as its first line says: its answer is the byte E9."""


def application(environ, start_response):
    """Answer one letter."""
    body = "é".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain; charset=iso-8859-1"), ("Content-Length", "1")])
    return [body]
