"""Patches the standard library at its top, as applications do that are made for green threads."""

import os

if os.environ["PATCHES"] == "eventlet":
    import eventlet

    eventlet.monkey_patch()
else:
    from gevent import monkey

    monkey.patch_all()

import threading
import time


def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(3600)
    results = []
    thread = threading.Thread(target=lambda: results.append(time.sleep(0.01)))
    thread.start()
    thread.join()
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done" if results else b"none"]
