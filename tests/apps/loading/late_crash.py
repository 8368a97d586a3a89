"""Loads, and ends the process CRASH_AFTER_S later (0): a crash loop of something that was ready for an instant."""

import os
import threading

from hello_app import application

__all__ = ["application"]

threading.Timer(float(os.environ.get("CRASH_AFTER_S", "0")), os._exit, [9]).start()
