"""What all option models share: frozen, unknown keys forbidden, kebab-case in files, documented. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from wsgigroups.config.effects import Effect, When, effect_text
from wsgigroups.config.kinds import Kind


def to_kebab(attribute: str) -> str:
    """The name in a file of an attribute."""
    return attribute.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as schema, reference, `explain` and `plan` need it."""

    name: str  # in files
    attribute: str  # in Python
    kind: str
    default: Any  # None: no value, the text in `default_text` says what happens then
    default_text: str
    effect: Effect
    otherwise: Mapping[When, Effect]  # the effect of the changes that have another one
    effect_reason: str
    unit: str | None
    doc: str
    example: Any
    related: tuple[str, ...]
    choices: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    zero_allowed: bool  # 0 stands for "off" or "the system's", outside of minimum … maximum
    extension: bool  # not an option of WSGIDaemonProcess 4.5
    interpolated: bool  # `${NAME}` is replaced
    required: bool

    @property
    def effect_text(self) -> str:
        """The effect of every change, for people."""
        return effect_text(self.effect, self.otherwise)


class OptionModel(BaseModel):
    """Base of all models."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_kebab,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        validate_default=False,
        defer_build=True,  # what reads a file is made once, for all tables, and only where one is read
    )

    def __eq__(self, other: object) -> bool:
        """Same values, and the same of them written: one written process is not the same as none."""
        if not isinstance(other, OptionModel):
            return NotImplemented
        return super().__eq__(other) and self.model_fields_set == other.model_fields_set

    __hash__ = None  # type: ignore[assignment]  # environment is a table

    def is_set(self, name: str) -> bool:
        """Whether the option was written, in the table itself or in `[defaults]`. Takes both spellings."""
        return name.replace("-", "_") in self.model_fields_set


def option(
    default: Any,
    doc: str,
    *,
    effect: Effect,
    reason: str,
    example: Any,
    otherwise: Mapping[When, Effect] | None = None,
    default_text: str = "",
    related: Sequence[str] = (),
    choices: Sequence[str] = (),
    minimum: int | None = None,
    maximum: int | None = None,
    zero_allowed: bool = False,
    extension: bool = False,
    factory: Any = None,
    required: bool = False,
) -> Any:
    """Describe a field. Bounds are checked by `checks.bounds`, so that one sentence serves model, schema and docs."""
    about: Any = {
        "default-text": default_text,
        "effect": effect,
        "otherwise": otherwise or {},
        "reason": reason,
        "related": tuple(related),
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": maximum,
        "zero-allowed": zero_allowed,
        "extension": extension,
        "required": required,
    }
    if factory is not None:
        return Field(default_factory=factory, description=doc, examples=[example], json_schema_extra=about)
    if required:
        return Field(description=doc, examples=[example], json_schema_extra=about)
    return Field(default, description=doc, examples=[example], json_schema_extra=about)


_UNITS = {"duration": "seconds", "bytes": "bytes"}
_INTERPOLATED = frozenset(
    {"path", "certificate", "log", "paths", "page-files", "claims", "environment", "address", "addresses"}
)


def describe(model: type[OptionModel]) -> Mapping[str, Option]:
    """Return the options of a model by their names in files, in the order of the model."""
    found = {}
    for attribute, field in model.model_fields.items():
        kind = kind_of(field)
        if kind is None:
            continue  # a nested table
        about: dict[str, Any] = field.json_schema_extra  # type: ignore[assignment]
        name = to_kebab(attribute)
        default = None if about["required"] else field.get_default(call_default_factory=True)
        found[name] = Option(
            name=name,
            attribute=attribute,
            kind=kind,
            default=default,
            default_text=about["default-text"],
            effect=about["effect"],
            otherwise=about["otherwise"],
            effect_reason=about["reason"],
            unit=_UNITS.get(kind),
            doc=field.description or "",
            example=(field.examples or [None])[0],
            related=about["related"],
            choices=about["choices"],
            minimum=about["minimum"],
            maximum=about["maximum"],
            zero_allowed=about["zero-allowed"],
            extension=about["extension"],
            interpolated=kind in _INTERPOLATED,
            required=about["required"],
        )
    return found


def kind_of(field: FieldInfo) -> str | None:
    """The kind of a field, None for a nested table."""
    for item in field.metadata:
        if isinstance(item, Kind):
            return item.name
    inner: Any = field.annotation
    for candidate in getattr(inner, "__args__", ()):
        for item in getattr(candidate, "__metadata__", ()):
            if isinstance(item, Kind):
                return item.name
    return None
