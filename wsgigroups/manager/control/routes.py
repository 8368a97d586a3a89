"""The one table of routes: method, path, who may, what it takes, what it does, what it answers.

Pure data. The server reads requests by it, `handlers.Handlers` has a method for each, and `openapi.py` makes
`schemas/control.openapi.json` from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wsgigroups.errors import ExitCode
from wsgigroups.manager.control import documents, requests

HTTP_STATUS = {ExitCode.USAGE: 400, ExitCode.NO_SUCH_GROUP: 404, ExitCode.NOT_PERMITTED: 403}
OTHERWISE = 409  # of what was understood and cannot be done


class Access(Enum):
    """Who may call a route: root and the manager's own user administer; members of the read group read."""

    READ = "read"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Route:
    """One call. handler: name of the method of `handlers.Handlers`; body: None where a body would not be read."""

    method: str
    path: str
    access: Access
    handler: str
    summary: str
    answer: type[documents.Document]
    body: type[requests.Parameters] | None = None
    in_path: type[requests.Parameters] = requests.NoParameters
    query: type[requests.Parameters] = requests.NoParameters


def _get(path: str, handler: str, summary: str, answer: type[documents.Document]) -> Route:
    return Route("GET", path, Access.READ, handler, summary, answer)


def _act(handler: str, summary: str, body: type[requests.Parameters]) -> Route:
    return Route("POST", f"/v1/{handler}", Access.ADMINISTER, handler, summary, documents.BegunDocument, body)


ROUTES: tuple[Route, ...] = (
    _get("/v1/status", "status", "Groups and processes.", documents.StatusDocument),
    Route(
        "GET",
        "/v1/changes/{id}",
        Access.READ,
        "change",
        "One change; wait_s waits until it moves, finished or not.",
        documents.ChangeDocument,
        in_path=requests.ChangePath,
        query=requests.ChangeQuery,
    ),
    _get("/v1/history", "history", "Accepted revisions, newest first.", documents.HistoryDocument),
    Route(
        "GET",
        "/v1/events",
        Access.READ,
        "events",
        "What happened, oldest first; wait_s waits for more.",
        documents.EventsDocument,
        query=requests.EventsQuery,
    ),
    Route(
        "GET",
        "/v1/deaths",
        Access.READ,
        "deaths_of",
        "How processes ended, oldest first.",
        documents.DeathsDocument,
        query=requests.DeathsQuery,
    ),
    Route(
        "POST",
        "/v1/plan",
        Access.ADMINISTER,
        "plan",
        "What applying a configuration would change.",
        documents.PlanDocument,
        requests.ConfigurationBody,
    ),
    _act("apply", "Make the processes match a configuration.", requests.ApplyBody),
    _act("start", "Start groups.", requests.GroupsBody),
    _act("stop", "Drain groups and keep them stopped.", requests.GroupsBody),
    _act("restart", "Replace processes, successor first.", requests.GroupsBody),
    _act("reload", "Replace processes in their eviction window.", requests.GroupsBody),
    _act("scale", "Another number of processes.", requests.ScaleBody),
    _act(
        "rollback",
        "Apply an earlier revision again, without a number the last good one; or undo a change.",
        requests.RollbackBody,
    ),
    _act("reopen", "Open every log again, after the files were renamed.", requests.ReopenBody),
    Route(
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
