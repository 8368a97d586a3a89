"""Where the benchmark runs: an environment with all peers and wsgigroups, and copies of the applications.

Runs in the benchmark's process; made once, by `tools.environment`. As root it all lies where the account of the servers
can enter.
"""

from __future__ import annotations

import resource
from pathlib import Path

from benchmarks.serving import Ground
from tools import environment, facts
from tools.choose import choose_place
from tools.environment import CLONE, Recipe

FRAMEWORKS = ("django>=4.2", "flask>=3.0")
PEERS = ("gunicorn", "waitress", "pyuwsgi", "granian", "supervisor")
MEASURED = ("pyproject.toml", "wsgigroups")  # the environment is made anew when these change; README.md is written here
BUILT_PEERS = ("bjoern",)  # has no wheel: where it cannot be built, it is left out and named
NEEDED_FILES = 8192


def prepare() -> Ground:
    """Make everything; raise SetUpError with a message where that is impossible."""
    account = facts.daemon_account()
    place = Path(choose_place(facts.places(CLONE, account), account.name).path) / "bench"
    place.mkdir(exist_ok=True)
    with environment.alone_in(place.parent):
        interpreter = environment.find_interpreter(account)
        recipe = Recipe(
            interpreter,
            installs=(("--upgrade", "pip>=25.1"), (str(CLONE), *FRAMEWORKS, *PEERS)),
            depends_on=MEASURED,
        )
        fresh = not environment.is_current(place / "venv", recipe)
        environment.make_environment(place / "venv", recipe)
        if fresh:
            environment.add_optional(place / "venv", BUILT_PEERS)
        applications = place / "applications"
        environment.copy_tree(CLONE / "benchmarks" / "applications", applications)
        environment.copy_tree(CLONE / "benchmarks" / "inside", applications / "inside")
    allow_many_files()
    return Ground(place / "venv", applications, account)


def allow_many_files() -> None:
    """Raise the soft limit of descriptors, which servers inherit, towards the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = NEEDED_FILES if hard == resource.RLIM_INFINITY else min(NEEDED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
