"""From the files of other programs to a configuration: a new kind is one module and one line here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.interop.importers.apache import import_apache
from wsgigroups.interop.importers.draft import Draft, Fidelity, ForeignSetting, Gap
from wsgigroups.interop.importers.gravity import import_gravity
from wsgigroups.interop.importers.gunicorn import import_gunicorn
from wsgigroups.interop.importers.mod_wsgi_express import import_express
from wsgigroups.interop.importers.settling import settle
from wsgigroups.interop.importers.supervisor import import_supervisor
from wsgigroups.interop.importers.surroundings import GivenFiles, ImportRequest, ImportSurroundings
from wsgigroups.interop.importers.systemd import import_systemd
from wsgigroups.interop.importers.unit import import_unit
from wsgigroups.interop.importers.uwsgi import import_uwsgi
from wsgigroups.interop.importers.variables import settle_variables
from wsgigroups.interop.importers.writing import report, write

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Importer:
    """One kind of files. read: a draft of what they say, which still has to be settled."""

    summary: str
    read: Callable[[ImportRequest, ImportSurroundings], Draft]


IMPORTERS: dict[str, Importer] = {
    "apache": Importer("Configuration files of Apache with mod_wsgi.", import_apache),
    "mod_wsgi-express": Importer("Command lines of mod_wsgi-express.", import_express),
    "gunicorn": Importer("gunicorn.conf.py, command lines and Procfiles.", import_gunicorn),
    "uwsgi": Importer("Files of uWSGI, directories of its Emperor, command lines.", import_uwsgi),
    "supervisor": Importer("Programs of supervisor that run gunicorn, uWSGI or mod_wsgi-express.", import_supervisor),
    "systemd": Importer("Units of systemd that run gunicorn, uWSGI or mod_wsgi-express.", import_systemd),
    "gravity": Importer("Galaxy's gravity: galaxy.yml.", import_gravity),
    "unit": Importer("The JSON of NGINX Unit.", import_unit),
}


def import_files(kind: str, request: ImportRequest, surroundings: ImportSurroundings, directory: str = "/") -> Draft:
    """Return a draft that `validate` accepts. directory: where the file is going to be. Raises WsgigroupsError."""
    draft = IMPORTERS[kind].read(request, surroundings)
    settle_variables(draft)
    settle(draft, directory)
    return draft


__all__ = [
    "IMPORTERS",
    "Draft",
    "Fidelity",
    "ForeignSetting",
    "Gap",
    "GivenFiles",
    "ImportRequest",
    "ImportSurroundings",
    "Importer",
    "import_files",
    "report",
    "settle",
    "write",
]
