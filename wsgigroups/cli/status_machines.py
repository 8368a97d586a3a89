"""`status --inventory FILE`: the managers of several machines, asked over ssh.

Runs in the user's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.cli.output import write_data
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

    from wsgigroups.cli.main import Globals
    from wsgigroups.client.inventory import RemoteMachine

TIMEOUT_S = 10.0  # of each machine, where --timeout does not say it


def status_of_machines(
    options: Globals, inventory: Path, names: tuple[str, ...], output: str, *, check: bool, timeout_s: float
) -> int:
    """Ask all machines of an inventory, show what they say, and return the exit code."""
    from wsgigroups.cli.machines_table import selected, show_machines
    from wsgigroups.cli.status import unhealthy
    from wsgigroups.client.machines import ask_machines

    answers = ask_machines(read_inventory(inventory), timeout_s, options.named_run_dir)
    answers = [selected(answer, names) for answer in answers]
    if output in ("text", "wide"):
        show_machines(answers, options.color, wide=output == "wide")
    else:
        hosts = [
            {"host": answer.machine.name, "error": answer.error or None, "status": answer.status} for answer in answers
        ]
        write_data({"schema_version": 1, "hosts": hosts}, output)
    ill = check and any(answer.status is None or unhealthy(answer.status, names) for answer in answers)
    return int(ExitCode.NOT_RUNNING if ill else ExitCode.DONE)


def read_inventory(path: Path) -> list[RemoteMachine]:
    """Return the machines of a file. Raises WsgigroupsError (2)."""
    from wsgigroups.client.inventory import machines_of
    from wsgigroups.config.reading import Problem, read_text
    from wsgigroups.config.yaml import parse

    try:
        source, findings = parse(str(path), str(path.parent), read_text(path))
    except Problem as problem:
        raise WsgigroupsError(problem.message, hint=problem.hint, exit_code=ExitCode.USAGE) from None
    if findings:
        first = findings[0]
        where = f"{path}:{first.span.line}" if first.span else str(path)
        raise WsgigroupsError(
            f"cannot read the inventory {where}: {first.message}", hint=first.hint, exit_code=ExitCode.USAGE
        )
    return machines_of(source.data, str(path))
