"""`wsgigroups run`: the manager in the foreground, for systemd, containers and `apply`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from wsgigroups.cli.loading import FILE, PROFILE, load_files
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals


@click.command("run")
@click.argument("files", metavar="FILE…", nargs=-1, type=FILE)
@PROFILE
@click.option("--read-group", metavar="GROUP", help="Members of this group may read the control API.")
@click.option("--ready-fd", type=int, metavar="FD", help="Write a line here once the control API answers.")
@click.pass_obj
def command(
    options: Globals, files: tuple[Path, ...], profiles: tuple[str, ...], read_group: str | None, ready_fd: int | None
) -> int:
    """Run the manager in the foreground (systemd, containers).

    SIGTERM and SIGINT drain everything and end it; SIGHUP reads the files again. A manager that is killed leaves its
    daemons serving; the next one finds them and goes on.
    """
    from wsgigroups.manager.upgrade import handover

    handed = handover.taken_from(os.environ)  # before anything else could see it
    # what runs was begun with these files already, and goes on whatever they have become
    configuration = load_files(files, profiles, options.color) if files and handed is None else None
    from wsgigroups.manager.main import ManagerOptions, run_manager

    reload = (lambda: load_files(files, profiles, options.color)) if files else None
    return run_manager(
        ManagerOptions(
            run_dir=options.run_dir,
            state_dir=options.state_dir,
            log_dir=options.log_dir,
            read_gid=_gid(read_group),
            configuration=configuration,
            reload=reload,
            ready_fd=ready_fd,
            handover=handed,
        )
    )


def _gid(name: str | None) -> int | None:
    if name is None:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise WsgigroupsError(f"cannot find the group {name!r}", exit_code=ExitCode.USAGE) from None
