"""Set-up of a clone: what `make try`, `make test` and CI run. Standard library only, any Python that `python3` may be.

Runs in the caller's process, before anything is installed. Root never runs an application here, and no permission of
anything that exists is changed.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 — whoever has an old python3 shall read a sentence, not a traceback
    sys.exit(
        f"cannot set up: python3 is {sys.version.split()[0]} ({sys.executable}), and 3.10 or newer is needed.\n"
        "Call make with another one: make PYTHON=/usr/bin/python3.11 …"
    )
