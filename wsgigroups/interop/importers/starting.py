"""The programs that have an importer of their own, for those that start them: supervisor and systemd. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.interop.importers.gunicorn import put_gunicorn_start
from wsgigroups.interop.importers.mod_wsgi_express import put_express_start
from wsgigroups.interop.importers.uwsgi import put_uwsgi_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.interop.importers.draft import Draft, Place
    from wsgigroups.interop.importers.started import Started
    from wsgigroups.interop.importers.surroundings import ImportSurroundings

_STARTS: dict[str, Callable[[Draft, Started, ImportSurroundings], Place | None]] = {
    "gunicorn": put_gunicorn_start,
    "uwsgi": put_uwsgi_start,
    "mod_wsgi-express": put_express_start,
}


def put_program_start(draft: Draft, begun: Started, surroundings: ImportSurroundings) -> Place | None:
    """Put the group of one start of any of them; None for what cannot be served here, which is said."""
    return _STARTS[begun.command.program](draft, begun, surroundings)
