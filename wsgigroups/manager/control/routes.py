"""The one table of routes: method, path, who may, what it takes, what it does, what it answers.

Pure data. The server reads requests by it, `handlers.Handlers` has a method for each, and `openapi.py` makes
`schemas/control.openapi.json` from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wsgigroups.errors import ExitCode
from wsgigroups.manager.control import closer_documents, documents, requests
from wsgigroups.metrics.exposition import OPENMETRICS, TEXT

if TYPE_CHECKING:
    from wsgigroups.manager.control.document import Document

HTTP_STATUS = {ExitCode.USAGE: 400, ExitCode.NO_SUCH_GROUP: 404, ExitCode.NOT_PERMITTED: 403}
OTHERWISE = 409  # of what was understood and cannot be done
_ACTS = {  # those of the other handlers are their names
    "status": "see the status",
    "addresses": "see the addresses",
    "change": "see a change",
    "group": "see a group",
    "log": "see logs",
    "history": "see the history",
    "difference": "see the history",
    "configuration": "see the configuration",
    "events": "see events",
    "deaths_of": "see how processes ended",
    "rollback": "roll back",
    "pause": "pause a change",
    "resume": "resume a change",
    "reopen": "reopen logs",
    "dashboard": "open the dashboard",
    "shutdown": "shut down",
}


class Access(Enum):
    """Who may call a route: root and the manager's own user administer; members of the read group read.

    Operators of a group may call some of both, where they are told of their groups alone.
    """

    READ = "read"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class ControlRoute:
    """One call. handler: name of the method of `handlers.Handlers`; body: None where a body would not be read."""

    method: str
    path: str
    access: Access
    handler: str
    summary: str
    answer: type[Document]
    body: type[requests.Parameters] | None = None
    in_path: type[requests.Parameters] = requests.NoParameters
    query: type[requests.Parameters] = requests.NoParameters
    operators: bool = False  # whether operators may call it, too: about their groups, and told of no others

    @property
    def changes(self) -> bool:
        """Whether calls of it are in the audit log: all that do more than look."""
        return self.method != "GET" and self.handler != "plan"

    @property
    def act(self) -> str:
        """What somebody does who calls it, behind “cannot”."""
        return _ACTS.get(self.handler, self.handler)


@dataclass(frozen=True, slots=True)
class TextRoute:
    """A call whose answer is no document. handler: takes the Accept field, and what is in the path."""

    path: str
    access: Access
    handler: str
    summary: str
    media: tuple[str, ...]
    in_path: tuple[str, ...] = ()
    method: str = "GET"
    act: str = "see metrics"


def _get(path: str, handler: str, summary: str, answer: type[Document], *, operators: bool = False) -> ControlRoute:
    return ControlRoute("GET", path, Access.READ, handler, summary, answer, operators=operators)


def _act(handler: str, summary: str, body: type[requests.Parameters], *, operators: bool = False) -> ControlRoute:
    answer = documents.BegunDocument
    return ControlRoute(
        "POST", f"/v1/{handler}", Access.ADMINISTER, handler, summary, answer, body, operators=operators
    )


ROUTES: tuple[ControlRoute, ...] = (
    _get("/v1/status", "status", "Groups and processes.", documents.StatusDocument, operators=True),
    _get("/v1/addresses", "addresses", "What groups and the gateway listen on.", closer_documents.AddressesDocument),
    ControlRoute(
        "GET",
        "/v1/changes/{id}",
        Access.READ,
        "change",
        "One change; wait_s waits until it moves, finished or not.",
        documents.ChangeDocument,
        in_path=requests.ChangePath,
        query=requests.ChangeQuery,
        operators=True,
    ),
    ControlRoute(
        "GET",
        "/v1/groups/{name}",
        Access.READ,
        "group",
        "One group: the options that are not the defaults, and what each request thread does now.",
        closer_documents.GroupDetailsDocument,
        in_path=requests.GroupPath,
        operators=True,
    ),
    ControlRoute(
        "GET",
        "/v1/groups/{name}/log",
        Access.ADMINISTER,
        "log",
        "The end of one group's log, or what was added to it since.",
        closer_documents.LogDocument,
        in_path=requests.GroupPath,
        query=requests.LogQuery,
        operators=True,
    ),
    _get("/v1/history", "history", "Accepted revisions, newest first.", documents.HistoryDocument),
    ControlRoute(
        "GET",
        "/v1/history/{revision}",
        Access.READ,
        "difference",
        "What one revision has that the one before it had not.",
        closer_documents.DifferenceDocument,
        in_path=requests.RevisionPath,
    ),
    ControlRoute(
        "GET",
        "/v1/configuration",
        Access.ADMINISTER,
        "configuration",
        "The configuration that runs, secrets included.",
        closer_documents.ConfigurationDocument,
    ),
    ControlRoute(
        "GET",
        "/v1/events",
        Access.READ,
        "events",
        "What happened, oldest first; wait_s waits for more.",
        documents.EventsDocument,
        query=requests.EventsQuery,
        operators=True,
    ),
    ControlRoute(
        "GET",
        "/v1/deaths",
        Access.READ,
        "deaths_of",
        "How processes ended, oldest first.",
        documents.DeathsDocument,
        query=requests.DeathsQuery,
        operators=True,
    ),
    ControlRoute(
        "POST",
        "/v1/plan",
        Access.ADMINISTER,
        "plan",
        "What applying a configuration would change.",
        documents.PlanDocument,
        requests.ConfigurationBody,
    ),
    _act("apply", "Make the processes match a configuration.", requests.ApplyBody),
    _act("start", "Start groups.", requests.GroupsBody, operators=True),
    _act("stop", "Drain groups and keep them stopped.", requests.GroupsBody),
    _act("restart", "Replace processes, successor first.", requests.RestartBody, operators=True),
    _act("reload", "Replace processes in their eviction window.", requests.RestartBody, operators=True),
    _act(
        "deploy",
        "Replace a group's processes for new code, and take it back where it fails.",
        requests.DeployBody,
        operators=True,
    ),
    _act("scale", "Another number of processes.", requests.ScaleBody),
    _act(
        "rollback",
        "Apply an earlier revision again, without a number the last good one; or undo a change.",
        requests.RollbackBody,
    ),
    _act("pause", "Let the apply under way rest: no further process is replaced.", requests.PauseBody),
    _act("resume", "Let an apply go on that was paused.", requests.PauseBody),
    _act("reopen", "Open every log again, after the files were renamed.", requests.ReopenBody),
    ControlRoute(
        "POST",
        "/v1/dashboard",
        Access.ADMINISTER,
        "dashboard",
        "A link that opens the manager's dashboard once; it shows logs, too, so it is for administrators.",
        closer_documents.DashboardDocument,
        requests.DashboardBody,
    ),
    ControlRoute(
        "POST",
        "/v1/upgrade",
        Access.ADMINISTER,
        "upgrade",
        "Hand over to the version that is installed, after it has shown that it can take over.",
        documents.UpgradeDocument,
        requests.UpgradeBody,
    ),
    _act("shutdown", "Drain everything and end the manager.", requests.ShutdownBody),
)

TEXTS: tuple[TextRoute, ...] = (
    TextRoute("/metrics", Access.READ, "metrics", "All metrics, as Prometheus reads them.", (OPENMETRICS, TEXT)),
    TextRoute(
        "/metrics/{group}",
        Access.READ,
        "metrics_of_group",
        "What the processes of a group count themselves, over all of them (`application-metrics`).",
        (TEXT,),
        in_path=("group",),
    ),
)
