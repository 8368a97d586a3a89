"""What callers may send, typed: path, query and body of each route. A value that does not fit is a 400 with its name.

Pure. Texts of paths and queries are read as the type of their field; bodies are JSON and mean what they say: "3" is no
number there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool, StrictInt, ValidationError

from wsgigroups.config.counts import MAXIMUM_PROCESSES
from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Callable

StepKindName = Literal["remove", "start", "live", "adopt", "scale", "rebind", "replace", "add"]
MAXIMUM_WAIT_S = 60.0
MAXIMUM_NUMBER = 2**53 - 1  # the same in every reader of JSON (RFC 8259 section 6)
MAXIMUM_EVENTS = 1000  # in one answer


class Parameters(BaseModel):
    """Base of all that is sent; names that are not known are refused, because they are mostly misspelt."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,  # made once somebody sends it
    )


class NoParameters(Parameters):
    """Of routes that take none there."""


class ChangePath(Parameters):
    """Which change."""

    id: int = Field(description="The number that the call which began it answered with.", ge=1, le=MAXIMUM_NUMBER)


class GroupPath(Parameters):
    """Which group."""

    name: str = Field(description="The name of a group.", min_length=1, max_length=255)


class LogQuery(Parameters):
    """From where on."""

    after: str = Field(
        default="", description="The text that the last answer had under this name; empty: the end.", max_length=64
    )


class RevisionPath(Parameters):
    """Which revision."""

    revision: int = Field(description="The number of a revision.", ge=1, le=MAXIMUM_NUMBER)


class ChangeQuery(Parameters):
    """How long to wait for news."""

    wait_s: float = Field(
        default=0.0,
        description="Answer when the change is no longer as `seen` says, or after so many seconds.",
        ge=0,
        le=MAXIMUM_WAIT_S,
        allow_inf_nan=False,
    )
    seen: str = Field(default="", description="The text that the last answer had under this name.", max_length=64)


class EventsQuery(Parameters):
    """Which events."""

    after: int = Field(
        default=0, description="Those after the one with this number, the oldest first.", ge=0, le=MAXIMUM_NUMBER
    )
    since: float = Field(
        default=0.0, description="From then on, in seconds since the epoch.", ge=0, allow_inf_nan=False
    )
    group: str = Field(default="", description="Of this group alone; empty: of all.", max_length=255)
    limit: int = Field(default=100, description="At most so many; without `after` the newest.", ge=1, le=MAXIMUM_EVENTS)
    wait_s: float = Field(
        default=0.0,
        description="Wait so long for one that is asked for, where there is none.",
        ge=0,
        le=MAXIMUM_WAIT_S,
        allow_inf_nan=False,
    )


class DeathsQuery(Parameters):
    """Which deaths."""

    group: str = Field(default="", description="Of this group alone; empty: of all.", max_length=255)
    slot: int = Field(default=0, description="Of this slot alone; 0: of all.", ge=0, le=MAXIMUM_NUMBER)
    limit: int = Field(default=10, description="The newest, at most so many.", ge=0, le=MAXIMUM_EVENTS)


class ConfigurationBody(Parameters):
    """A configuration, as in groups.toml."""

    configuration: dict[str, JsonValue] = Field(
        description="A configuration, as in groups.toml; in a table `owners`, the files that it comes from."
    )
    only: list[Annotated[str, Field(min_length=1, max_length=4096)]] | None = Field(
        default=None,
        description="Absolute paths. The configuration is what these files say now; what came from others stays.",
        min_length=1,
    )


class GroupsBody(Parameters):
    """Which groups."""

    groups: list[str] = Field(description="Names of groups.", min_length=1)


class RestartBody(GroupsBody):
    """Which groups, or which of their processes."""

    slots: dict[str, list[Annotated[StrictInt, Field(ge=1, le=MAXIMUM_NUMBER)]]] = Field(
        default={}, description="Of these groups the processes of these slots alone."
    )


class ScaleBody(Parameters):
    """How many processes of which groups."""

    processes: dict[str, Annotated[StrictInt, Field(ge=1, le=MAXIMUM_PROCESSES)]] = Field(
        description="The number of processes by group.", min_length=1
    )


class _Queued(Parameters):
    """Of calls that apply a configuration: one at a time."""

    wait_s: float = Field(
        default=0.0,
        description="How long to wait for an apply that is under way to end, before this one is refused.",
        ge=0,
        le=MAXIMUM_WAIT_S,
        allow_inf_nan=False,
    )
    overtake: StrictBool = Field(default=False, description="Take the place of an apply that is under way.")
    command: str = Field(default="", description="The command line, for others who want to apply.", max_length=500)


class DeployBody(_Queued):
    """Which group gets the code that is there now, and what that is called."""

    group: str = Field(description="The name of a group.", min_length=1, max_length=255)
    release: str = Field(
        default="",
        description="A name for the code, such as a version or a commit: the history has it.",
        max_length=128,
    )


class PreconditionBody(Parameters):
    """What a plan was made against, as the plan has it."""

    revision: StrictInt = Field(ge=0, le=MAXIMUM_NUMBER, description="The accepted configuration in force.")
    observed: dict[str, str] = Field(description="By group: a digest of what it is.")
    desired: dict[str, str] = Field(description="By group: a digest of what it is to be, its code included.")
    keyed: StrictBool = Field(default=True, description="Whether the digests were made with the manager's key.")


class ApplyBody(ConfigurationBody, _Queued):
    """A configuration, as in groups.toml, and how long it may wait for its turn."""

    precondition: PreconditionBody | None = Field(
        default=None, description="Of the plan that was shown: refused with what has moved where the state is another."
    )
    shown: dict[str, StepKindName] | None = Field(
        default=None,
        description="What that plan does, by group. Where the state is another, a plan that does no more to any group "
        "is carried out, and is in the answer.",
    )
    agrees: StrictBool = Field(
        default=False, description="Where the state is another, whatever it comes to is carried out, and in the answer."
    )


class RollbackBody(_Queued):
    """Which revision, or which change to undo."""

    change: StrictInt | None = Field(
        default=None,
        description="Undo this apply, which is under way: its groups return to what they were.",
        ge=1,
        le=MAXIMUM_NUMBER,
    )
    revision: StrictInt | None = Field(
        default=None, description="Null: the last one before the one that runs that was done.", ge=1, le=MAXIMUM_NUMBER
    )


class ReopenBody(Parameters):
    """Nothing to say: it is about every log."""


class ShutdownBody(Parameters):
    """How."""

    now: StrictBool = Field(default=False, description="Skip the windows in which processes finish.")


class DashboardBody(Parameters):
    """Nothing more to say."""


class UpgradeBody(Parameters):
    """How far."""

    rehearse_only: StrictBool = Field(
        default=False, description="Find out whether the installed version could take over, and leave it at that."
    )


P = TypeVar("P", bound=Parameters)


def read_texts(model: type[P], place: str, texts: dict[str, str]) -> P:
    """Read the values of a path or a query. Raises WsgigroupsError (usage) naming the first that is wrong."""
    return _read(lambda: model.model_validate(texts), place)


def read_body(model: type[P], raw: bytes) -> P:
    """Read a body; an empty one is an empty object. Raises WsgigroupsError (usage) naming the first wrong value."""
    return _read(lambda: model.model_validate_json(raw or b"{}"), "body")


def _read(read: Callable[[], P], place: str) -> P:
    try:
        return read()
    except ValidationError as errors:
        raise _refusal(errors.errors(include_url=False, include_input=False)[0], place) from None


def _refusal(error: Any, place: str) -> WsgigroupsError:
    where = ".".join([place, *(str(part) for part in error["loc"] if part != "[key]")])
    what = str(error["msg"])
    return WsgigroupsError(f"cannot use this request: {where}: {what[:1].lower()}{what[1:]}", exit_code=ExitCode.USAGE)
