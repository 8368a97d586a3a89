"""`wsgigroups run`: the manager in the foreground, for systemd, containers and `apply`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from wsgigroups.cli.loading import FILES, PROFILE, load_files
from wsgigroups.cli.verbs import Verb
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.config import Configuration

_PR_SET_PDEATHSIG = 1  # prctl(2)


@click.command("run", cls=Verb)
@FILES
@PROFILE
@click.option(
    "--group",
    "only_groups",
    metavar="NAME",
    multiple=True,
    help="Run this group of the files alone, with what is mounted for it; repeatable.",
)
@click.option("--resume", is_flag=True, help="Go on with what ran before: read no file of this directory.")
@click.option("--read-group", metavar="GROUP", help="Members of this group may read the control API.")
@click.option("--ready-fd", type=int, metavar="FD", help="Write a line here once the control API answers.")
@click.option("--end-with", type=int, metavar="PID", hidden=True, help="End as with SIGTERM when this parent ends.")
@click.pass_obj
def command(
    options: Globals,
    files: tuple[Path, ...],
    profiles: tuple[str, ...],
    only_groups: tuple[str, ...],
    resume: bool,
    read_group: str | None,
    ready_fd: int | None,
    end_with: int | None,
) -> int:
    """Run the manager in the foreground (systemd, containers).

    SIGTERM and SIGINT drain everything and end it; SIGHUP reads the files again. A manager that is killed leaves its
    daemons serving; the next one finds them and goes on.
    """
    from wsgigroups.manager.upgrade import handover

    if end_with is not None and not _ends_with(end_with):
        return int(ExitCode.DONE)
    # one that a former version has started in the background says so by its descriptor alone
    if resume or (ready_fd is not None and not _was_named("files")):
        files = ()
    if only_groups and not files:
        raise click.UsageError("--group chooses among the groups of files, and there is none.")
    handed = handover.taken_from(os.environ)  # before anything else could see it

    def read() -> Configuration:
        found = load_files(options, files, profiles)
        if not only_groups:
            return found
        from wsgigroups.config.some_groups import some_groups

        return some_groups(found, only_groups)

    # what runs was begun with these files already, and goes on whatever they have become
    configuration = read() if files and handed is None else None
    from wsgigroups.manager.loading import load

    load()
    from wsgigroups.manager.main import ManagerOptions, run_manager

    return run_manager(
        ManagerOptions(
            run_dir=options.run_dir,
            state_dir=options.state_dir,
            log_dir=options.log_dir,
            read_gid=_gid(read_group),
            configuration=configuration,
            reload=read if files else None,
            ready_fd=ready_fd,
            handover=handed,
        )
    )


def _was_named(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is ParameterSource.COMMANDLINE


def _ends_with(parent: int) -> bool:
    """Have the kernel send SIGTERM when the parent's main thread ends; False where it has ended already."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return os.getppid() == parent


def _gid(name: str | None) -> int | None:
    if name is None:
        return None
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise WsgigroupsError(f"cannot find the group {name!r}", exit_code=ExitCode.USAGE) from None
