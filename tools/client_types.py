"""The control API's documents as the client has them: types for mypy, made from the models of the manager.

The client does not import the models: pydantic would cost every command its start.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

HEAD = '''"""What the control API answers with, as types: made by `make schemas` from manager/control/documents.py."""

from __future__ import annotations

from typing import Literal, TypedDict
'''
LONGEST_LINE = 120


def make_module() -> str:
    """Return the text of `wsgigroups/client/answers.py`."""
    from wsgigroups.manager.control.routes import ROUTES

    found: dict[str, type[BaseModel]] = {}
    for route in ROUTES:
        _collect(route.answer, found)
    return HEAD + "".join(_class(model) for _name, model in sorted(found.items()))


def _collect(kind: Any, found: dict[str, type[BaseModel]]) -> None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            for field in kind.model_fields.values():
                _collect(field.annotation, found)
        return
    for part in get_args(kind):
        _collect(part, found)


def _class(model: type[BaseModel]) -> str:
    summary = (model.__doc__ or "").splitlines()[0]
    lines = [_line(f"    {name}: ", _text(field.annotation)) for name, field in model.model_fields.items()]
    return f'\n\nclass {_name(model)}(TypedDict):\n    """{summary}"""\n\n' + "".join(lines)


def _line(name: str, text: str) -> str:
    """A field, of a long choice one word a line."""
    if len(name) + len(text) <= LONGEST_LINE:
        return f"{name}{text}\n"
    kind, _bracket, words = text.rstrip("]").partition("[")
    return f"{name}{kind}[\n" + "".join(f"        {word},\n" for word in words.split(", ")) + "    ]\n"


def _name(model: type[BaseModel]) -> str:
    return model.__name__.removesuffix("Document") + "Answer"


def _text(kind: Any) -> str:
    """The annotation as source."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _text(parts[0])
    if origin is Literal:
        return f"Literal[{', '.join(repr(part) for part in parts)}]".replace("'", '"')
    if origin in (Union, UnionType):
        return " | ".join(_text(part) for part in parts)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_text(part) for part in parts if part is not ...)}]"
    if kind in (None, NoneType):
        return "None"
    if kind is Any:
        return "Any"
    return _name(kind) if issubclass(kind, BaseModel) else str(kind.__name__)
