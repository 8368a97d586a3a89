"""The OpenAPI 3.1 document of the control API, made from the table of routes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from wsgigroups.errors import ExitCode
from wsgigroups.manager.control.documents import ErrorDocument
from wsgigroups.manager.control.requests import NoParameters, Parameters
from wsgigroups.manager.control.routes import HTTP_STATUS, OTHERWISE, ROUTES, TEXTS, ControlRoute, TextRoute

if TYPE_CHECKING:
    from pydantic import BaseModel

_TEMPLATE = "#/components/schemas/{model}"
_ABOUT = (
    "HTTP/1.1 on the UNIX socket `control.sock` of the run directory. The caller is whoever SO_PEERCRED says; there is "
    "no other authentication and no TCP."
)
_REFUSED = {
    HTTP_STATUS[ExitCode.USAGE]: "Something in the request does not fit; nothing was changed.",
    HTTP_STATUS[ExitCode.NOT_PERMITTED]: "The caller may not.",
    HTTP_STATUS[ExitCode.NO_SUCH_GROUP]: "There is no such group.",
    OTHERWISE: "It cannot be done; the document says why.",
}


class _Untitled(GenerateJsonSchema):
    """Fields have no title, which would only be their name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def openapi(version: str) -> dict[str, Any]:
    """Return the whole document. version: of the package."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths.update({text.path: {text.method.lower(): _of_text(text)} for text in TEXTS})
    return {
        "openapi": "3.1.0",
        "info": {"title": "wsgigroups control API", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def _operation(route: ControlRoute) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "summary": route.summary,
        "x-access": route.access.value,
        "x-operators": route.operators,
        "responses": {
            "200": _response(route.answer.__doc__ or "", route.answer),
            **{str(status): _response(text, ErrorDocument) for status, text in sorted(_REFUSED.items())},
            "default": _response("Refused or failed.", ErrorDocument),
        },
    }
    parameters = [*_parameters("path", route.in_path), *_parameters("query", route.query)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        needed = any(field.is_required() for field in route.body.model_fields.values())
        operation["requestBody"] = {"required": needed, "content": _json(route.body)}
    return operation


def _of_text(route: TextRoute) -> dict[str, Any]:
    media = {media.partition(";")[0]: {"schema": {"type": "string"}} for media in route.media}
    return {
        "operationId": route.handler,
        "summary": route.summary,
        "x-access": route.access.value,
        **({"parameters": [_in_path(name) for name in route.in_path]} if route.in_path else {}),
        "responses": {
            "200": {"description": "In the first form if Accept names it, else in the last.", "content": media},
            "default": _response("Refused or failed.", ErrorDocument),
        },
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameters(place: str, model: type[Parameters]) -> list[dict[str, Any]]:
    described = model.model_json_schema(schema_generator=_Untitled)
    found = []
    for name, schema in described.get("properties", {}).items():
        text = schema.pop("description", None)
        found.append(
            {
                "name": name,
                "in": place,
                "required": name in described.get("required", ()),
                **({"description": text} if text else {}),
                "schema": schema,
            }
        )
    return found


def _response(text: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"description": text, "content": _json(model)}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _TEMPLATE.format(model=model.__name__)}}}


def _schemas() -> dict[str, Any]:
    bodies = {route.body for route in ROUTES if route.body is not None} - {NoParameters}
    answers = {route.answer for route in ROUTES} | {ErrorDocument}
    wanted: list[Any] = [(model, "validation") for model in bodies]
    wanted += [(model, "serialization") for model in answers]
    _refs, definitions = models_json_schema(
        sorted(wanted, key=lambda item: item[0].__name__), ref_template=_TEMPLATE, schema_generator=_Untitled
    )
    return dict(sorted(definitions["$defs"].items()))
