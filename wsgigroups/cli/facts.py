"""`wsgigroups facts [FILE…]`: what `validate --facts` needs to know of a host.

Runs in the user's process, on that host; as root it knows more (which user can read what).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILE
from wsgigroups.cli.output import write_data
from wsgigroups.cli.verbs import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals


@click.command("facts", cls=Verb)
@click.argument("files", metavar="[FILE]…", nargs=-1, type=FILE)
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Overlay to use; repeatable.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text")
@click.pass_obj
def command(_options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...], output: str) -> None:
    """Print what validate needs to know of this host.

    Users, groups, limits, addresses and locales; with FILE also what there is at the paths in it, which interpreters
    it names, and whether its applications compile. Nothing of an application is run.
    """
    from wsgigroups.host.facts import record

    facts = record(files, profiles)
    if output != "text":
        write_data(facts, output)
        return
    limits = facts["answers"]["limits"]["[]"]
    interpreter = facts["answers"]["interpreter"]['[""]']
    lines = {
        "system": facts["system"],
        "processors": facts["cpus"],
        "memory": f"{limits['memory_bytes'] / 2**30:.1f} GiB",
        "net.core.somaxconn": limits["somaxconn"],
        "RLIMIT_NPROC": limits["nproc"] if limits["nproc"] is not None else "unlimited",
        "NGROUPS_MAX": limits["ngroups_max"],
        "users": len(facts["users"]),
        "groups": len(facts["groups"]),
        "addresses": ", ".join(facts["answers"]["addresses"]["[]"]),
        "interpreter": f"{interpreter.get('executable')} {interpreter.get('version') or ''}".strip(),
        "manager would be root": "yes" if facts["answers"]["privileged"]["[]"] else "no",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        click.echo(f"{name:<{width}}  {value}")
