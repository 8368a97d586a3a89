"""The one table of routes: method, path, who may, what it does. `schemas/control.openapi.json` is made from it.

Pure data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Access(Enum):
    """Who may call a route: root and the manager's own user administer; members of the read group read."""

    READ = "read"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Route:
    """One call. handler: name of the method of `handlers.Handlers`; body: JSON Schema of the request's body."""

    method: str
    path: str
    access: Access
    handler: str
    summary: str
    body: dict[str, Any] | None = None


def _object(required: str, schema: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [required],
        "properties": {required: schema, **more},
        "additionalProperties": False,
    }


_CONFIGURATION = _object("configuration", {"type": "object", "description": "A configuration, as in groups.toml."})
_GROUPS = _object("groups", {"type": "array", "items": {"type": "string"}, "minItems": 1})
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}, "minProperties": 1}
_READ, _ADMINISTER = Access.READ, Access.ADMINISTER

ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/status", _READ, "status", "Groups and processes."),
    Route("GET", "/v1/changes/{id}", _READ, "change", "One change; wait_s waits until it moves, finished or not."),
    Route("GET", "/v1/history", _READ, "history", "Accepted revisions, newest first."),
    Route("POST", "/v1/plan", _ADMINISTER, "plan", "What applying a configuration would change.", _CONFIGURATION),
    Route("POST", "/v1/apply", _ADMINISTER, "apply", "Make the processes match a configuration.", _CONFIGURATION),
    Route("POST", "/v1/start", _ADMINISTER, "start", "Start groups.", _GROUPS),
    Route("POST", "/v1/stop", _ADMINISTER, "stop", "Drain groups and keep them stopped.", _GROUPS),
    Route("POST", "/v1/restart", _ADMINISTER, "restart", "Replace processes, successor first.", _GROUPS),
    Route("POST", "/v1/reload", _ADMINISTER, "reload", "Replace processes in their eviction window.", _GROUPS),
    Route("POST", "/v1/scale", _ADMINISTER, "scale", "Another number of processes.", _object("processes", _COUNTS)),
    Route(
        "POST",
        "/v1/rollback",
        _ADMINISTER,
        "rollback",
        "Apply an earlier revision again; without a number the one before.",
        {"type": "object", "properties": {"revision": {"type": "integer"}}, "additionalProperties": False},
    ),
    Route(
        "POST",
        "/v1/shutdown",
        _ADMINISTER,
        "shutdown",
        "Drain everything and end the manager.",
        {"type": "object", "properties": {"now": {"type": "boolean"}}, "additionalProperties": False},
    ),
)


def openapi(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the control API."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        operation: dict[str, Any] = {
            "operationId": route.handler,
            "summary": route.summary,
            "x-access": route.access.value,
            "responses": {
                "200": {"description": "JSON", "content": {"application/json": {"schema": {"type": "object"}}}},
                "default": {
                    "description": "Refused or failed.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }
        if route.body is not None:
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
        if "{id}" in route.path:
            operation["parameters"] = [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "wait_s", "in": "query", "schema": {"type": "number", "maximum": 60}},
            ]
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    error = {
        "type": "object",
        "required": ["error", "exit_code"],
        "properties": {
            "error": {"type": "string"},
            "hint": {"type": ["string", "null"]},
            "exit_code": {"type": "integer"},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wsgigroups control API",
            "version": version,
            "description": "HTTP/1.1 on the UNIX socket `control.sock` of the run directory. The caller is whoever "
            "SO_PEERCRED says; there is no other authentication and no TCP.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }
