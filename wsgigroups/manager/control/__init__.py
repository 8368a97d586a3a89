"""The control API: HTTP/1.1 and JSON on a UNIX socket in the run directory. Authority by SO_PEERCRED only."""
