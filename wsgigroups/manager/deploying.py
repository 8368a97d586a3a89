"""New code for one group: its processes are replaced, and what they got is a revision of its own, or is taken back.

Runs in the manager's only thread. Nothing but this group is touched, and nothing of its configuration changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.manager.core import handling, model

if TYPE_CHECKING:
    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.queueing import Asked


async def deploy(applying: Applying, name: str, release: str, asked: Asked) -> model.Change:
    """Begin it when it is its turn. release: "" for one without a name. Raises WsgigroupsError, BusyError."""
    async with applying.queue.turn(asked):
        await applying.queue.end_of_change(asked)
        _check(applying.shell.state, name, release)
        code = await applying.code.now([applying.shell.state.groups[name].target])
        state = applying.shell.state
        _check(state, name, release)  # it was looked at in another thread
        revision = max(state.revision, applying.store.last_number()) + 1
        document = applying.store.document(state.revision)
        try:
            applying.store.save_revision(revision, document, "pending", asked.by)
        except OSError as error:
            raise WsgigroupsError(
                f"cannot store revision {revision} in {applying.store.directory}: {error.strerror}",
                hint="nothing was changed",
            ) from None
        applying.begins(revision)
        number = state.next_change
        applying.queue.begun(number, asked)
        applying.shell.dispatch(model.Restart((name,), kind=model.DEPLOY, code=code, revision=revision))
        applying.save()
        return applying.shell.state.changes[number]


def _check(state: model.State, name: str, release: str) -> None:
    """Refuse what cannot be begun. Raises WsgigroupsError."""
    if state.stopping:
        raise WsgigroupsError("cannot deploy: the manager is shutting down")
    handling.check_startable(state, (name,))
    group = state.groups[name]
    if group.stopped:
        raise WsgigroupsError(
            f"cannot deploy to {name!r}: it is stopped",
            hint=f"`wsgigroups start {name}` starts it, with the code of now",
        )
    named = group.target.release
    if release and named and release != named:
        raise WsgigroupsError(
            f"cannot deploy {release!r} to {name!r}: its configuration says that its release is {named!r}",
            hint="set `release` there and apply, or leave RELEASE out",
            exit_code=ExitCode.USAGE,
        )
