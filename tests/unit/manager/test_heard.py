"""No signal is lost, however many come while the manager's loop is busy."""

from __future__ import annotations

import subprocess
import sys

STORM = """
import asyncio, os, signal
from wsgigroups.manager.heard import HeardSignals

async def main():
    heard, came, ended = HeardSignals(asyncio.get_running_loop()), [], asyncio.Event()
    heard.listen(signal.SIGUSR2, came.append)
    heard.listen(signal.SIGTERM, lambda number: (came.append(number), ended.set()))
    for _ in range(5000):  # far more bytes than a socket takes, and the loop does not run meanwhile
        os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(ended.wait(), 20)
    ended.clear()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(ended.wait(), 20)
    heard.close()
    os.kill(os.getpid(), signal.SIGTERM)  # not the end of the process: it is on its way to its own
    print(sorted(came))

asyncio.run(main())
"""


def test_a_storm_hides_nothing_and_warns_of_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[12, 15, 15]"
