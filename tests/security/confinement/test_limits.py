"""limit-nproc, limit-nofile, limit-fsize: what a tenant cannot have more of."""

from __future__ import annotations

import pytest
from support.attempts import Tenant

ROOM = 40


@pytest.mark.root
def test_a_fork_bomb_ends_at_its_limit(tenant: Tenant) -> None:
    """The tenant's processes, of all of its groups; those of others, and root, are not held up."""
    bomb = f"""
    children = []
    try:
        while len(children) < {10 * ROOM}:
            child = os.fork()
            if not child:
                import signal
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    """
    life = tenant.start(rlimits={"NPROC": (ROOM, ROOM)})
    assert tenant.outcomes(life, {bomb: ""}) == {bomb: "EAGAIN"}
    free = tenant.start()
    assert tenant.outcomes(free, {bomb: ""}) == {bomb: "done"}


def test_descriptors_and_files(tenant: Tenant) -> None:
    attempts = {
        f"os.truncate(os.open('{tenant.directory}/big', os.O_RDWR | os.O_CREAT), 2 << 20)": "EFBIG",
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (1, 1))": "ValueError",
        f"files = [os.dup(0) for _ in range({3 * ROOM})]; [os.close(file) for file in files]": "EMFILE",
    }
    life = tenant.start(rlimits={"NOFILE": (ROOM, ROOM), "FSIZE": (1 << 20, 1 << 20)})
    found = {code: how.partition("(")[0] for code, how in tenant.outcomes(life, attempts).items()}
    assert found == attempts
