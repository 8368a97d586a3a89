"""Who may do something with a group: the kind of the values that name users and groups of users. Pure."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from wsgigroups.config.kinds import Kind, distinct, listed, read_user

GROUP_MARK = "@"  # before the name of a group of users


def read_operator(value: Any) -> str:
    """A user's name or `#uid`; with @ before it a group's name or `#gid`."""
    if isinstance(value, str) and value.startswith(GROUP_MARK):
        return GROUP_MARK + read_user(value[len(GROUP_MARK) :])
    return read_user(value)


_Operator = Annotated[str, BeforeValidator(read_operator)]
Operators = Annotated[tuple[_Operator, ...], listed("users and @groups"), AfterValidator(distinct), Kind("operators")]
