"""A process that comes from a daemon is known by what it cannot take off, whatever it does to be another one."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wsgigroups.runtime.wire.origin import UnknownPeerError, connected_by_daemon

ROOT = Path(__file__).parents[3]
START = f"import os, resource, socket, sys; sys.path.insert(0, {str(ROOT)!r})\n"
MARK = "from wsgigroups.runtime.wire import origin; origin.mark()\n"
# whatever a mark that is taken off would need: the right to raise limits is root's, and a daemon has given it up
DROP = "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
CONNECT = "sock = socket.socket(socket.AF_UNIX); sock.connect(chr(0) + sys.argv[1])\n"
FORK_AWAY = "os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0)\n"


def connected(tmp_path: Path, code: str, *, then: str = "sock.recv(1)\n") -> bool:
    """Whether who runs this code and connects is known as a daemon's."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{tmp_path}")  # of no directory, since others cannot enter this one
        listener.listen()
        with subprocess.Popen([sys.executable, "-c", START + code + CONNECT + then, str(tmp_path)]) as child:
            listener.settimeout(30)
            sock = listener.accept()[0]
            with sock:
                if then.startswith("os._exit"):
                    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # and is still to be seen
                return connected_by_daemon(sock)


def test_others_are_none(tmp_path: Path) -> None:
    assert not connected(tmp_path, "")


@pytest.mark.parametrize("away", ["", FORK_AWAY, "import ctypes; ctypes.CDLL(None).unshare(0x10000000)\n"])
def test_a_daemon_and_what_descends_from_it_are(tmp_path: Path, away: str) -> None:
    """0x10000000 is CLONE_NEWUSER: all capabilities there are none here."""
    drop = DROP if os.geteuid() == 0 else ""
    raise_it = "try: resource.setrlimit(10, (-1, -1))\nexcept (OSError, ValueError): pass\nelse: os._exit(3)\n"
    assert connected(tmp_path, MARK + drop + away + raise_it)


def test_who_has_ended_is_nobody(tmp_path: Path) -> None:
    """Its number may be another's; with a descriptor of the process that cannot be mistaken."""
    with pytest.raises(UnknownPeerError):
        connected(tmp_path, MARK, then="os._exit(0)\n")


def test_a_manager_below_a_daemon_knows_its_own(tmp_path: Path) -> None:
    """Each mark is lower than that of who gave it, also where nothing is unlimited."""
    code = START + MARK + "first = resource.getrlimit(10)[1]\n" + MARK + "print(first - resource.getrlimit(10)[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert resource.getrlimit(10)[1] == resource.RLIM_INFINITY or resource.getrlimit(10)[1] > 0
