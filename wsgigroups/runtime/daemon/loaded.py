"""The applications of a process, with what they were loaded with: rules for scripts, and who looks at files.

Loads in the main thread. A process that a mold has forked goes on with all of it, and with settings of its own life.
"""

from __future__ import annotations

from ..log import Log
from ..wire.board import Board
from ..wire.spec import Spec
from . import applications
from .given import Given
from .loading import Loading
from .reloading import FileWatch, Freshness
from .script import ScriptRules
from .target import Application


class LoadedApplications:
    """What files are like is remembered when this is made: before anything is loaded."""

    def __init__(self, given: Given) -> None:
        self._given = given
        spec = given.spec
        self._loading = Loading(given.board)
        self.fresh = Freshness(given.script_changed)
        self.files = FileWatch(spec.reload, given.script_changed)
        self.rules = ScriptRules(spec.script_user, spec.script_group)

    def load(self, log: Log) -> Application:
        """Load, or prepare, all applications of the spec. Raises StepError("import")."""
        given = self._given
        return applications.build(given.spec, self.rules, log, given.script_changed, self._loading, self.fresh)

    def go_by(self, spec: Spec, board: Board) -> None:
        """Take over what may have changed since it was loaded."""
        self.rules.user, self.rules.group = spec.script_user, spec.script_group
        self._loading.publish_on(board)
