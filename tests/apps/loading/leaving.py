"""Ends the process while it is imported, with the code in LEAVE_WITH (default 3): a code the server must not obey."""

import os

os._exit(int(os.environ.get("LEAVE_WITH", "3")))
