"""What confinement is made of: names that the kernel and systemd have, and lists of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from wsgigroups.config.diagnostics import did_you_mean
from wsgigroups.config.kernel_names import NAMESPACES, address_families, known_system_calls, system_call_sets
from wsgigroups.config.kinds import Kind, distinct, listed, refuse, shown, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def _word_of(what: str, known: Callable[[], Collection[str]]) -> BeforeValidator:
    """Make the reader of a word that the kernel has, perhaps with systemd's ~ before it."""

    def read(value: Any) -> str:
        text = text_of(value, f"the name of {what}")
        name = text.removeprefix("~")
        if name not in known():
            near = did_you_mean(name, known())
            raise refuse("WG0320", f"{shown(text)} is no name of {what}", near or "systemd.exec(5) lists the names")
        return text

    return BeforeValidator(read)


def inverted_as_a_whole(items: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a ~ that is not at the beginning: it stands for the whole list."""
    for item in items[1:]:
        if item.startswith("~"):
            hint = 'write it once, before the first item: ["~a", "b"] is everything but a and b'
            raise refuse("WG0320", f"{shown(item)} has a ~, which is for the list as a whole", hint)
    return items


def read_yes_or_no(value: Any) -> Any:
    """true and false as the words that systemd knows for them."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _read_namespaces(value: Any) -> Any:
    """true: none may be made, which is a list of all that are refused."""
    if isinstance(value, bool):
        first, *others = sorted(NAMESPACES)
        return (f"~{first}", *others) if value else ()
    return value


_SystemCall = Annotated[
    str, _word_of("a system call or a set of them", lambda: {*known_system_calls(), *system_call_sets()})
]
_AddressFamily = Annotated[str, _word_of("an address family", lambda: {"none", *address_families()})]
_Namespace = Annotated[str, _word_of("a kind of namespace", lambda: NAMESPACES)]
SystemCalls = Annotated[
    tuple[_SystemCall, ...],
    listed("system calls", " "),
    AfterValidator(distinct),
    AfterValidator(inverted_as_a_whole),
    Kind("system-calls"),
]
AddressFamilies = Annotated[
    tuple[_AddressFamily, ...],
    listed("address families", " "),
    AfterValidator(distinct),
    AfterValidator(inverted_as_a_whole),
    Kind("address-families"),
]
Namespaces = Annotated[
    tuple[_Namespace, ...],
    listed("kinds of namespaces", " "),
    BeforeValidator(_read_namespaces),
    AfterValidator(distinct),
    AfterValidator(inverted_as_a_whole),
    Kind("namespaces"),
]
