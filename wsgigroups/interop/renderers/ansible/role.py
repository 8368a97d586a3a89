"""The files of the role and the playbook, by their names. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.interop.renderers.ansible import playbook, tasks
from wsgigroups.interop.renderers.ansible.configured import shipped

if TYPE_CHECKING:
    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext

_ROLE = "roles/groups"


def ansible_role(configuration: Configuration, _context: RenderContext) -> dict[str, str]:
    """Return the files, by their names below the directory that they are for.

    Raises WsgigroupsError for a configuration that does not say which directory is a release.
    """
    found = shipped(configuration)
    return {
        "rollout.yml": playbook.ROLLOUT.replace("RELEASE", found.release),
        f"{_ROLE}/defaults/main.yml": playbook.DEFAULTS.replace("DIRECTORY", found.directory),
        f"{_ROLE}/meta/argument_specs.yml": playbook.ARGUMENTS,
        f"{_ROLE}/meta/main.yml": playbook.META,
        f"{_ROLE}/tasks/main.yml": tasks.MAIN,
        f"{_ROLE}/tasks/ship.yml": tasks.SHIP,
        f"{_ROLE}/tasks/serve.yml": tasks.SERVE,
        f"{_ROLE}/tasks/return.yml": tasks.RETURN,
        f"{_ROLE}/tasks/finish.yml": tasks.FINISH,
        f"{_ROLE}/templates/groups.toml.j2": found.template,
    }
