"""What commands print: JSON and YAML for programs, rich for people. The only user of rich.

Runs in the user's process. rich and ruamel.yaml are imported when they are needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from wsgigroups.errors import BusyError, MovedError
from wsgigroups.runtime.text import clean, clean_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from wsgigroups.errors import WsgigroupsError

OUTPUT_FORMATS = ("text", "json", "yaml")
_WRITTEN = "wsgigroups.written"  # in the meta of contexts: a document is on stdout already


def console(color: str, *, err: bool = False) -> Console:
    """Return a console that respects --color, NO_COLOR and TERM=dumb; widths adapt to the terminal."""
    from rich.console import Console

    class TellingConsole(Console):
        """Lets whoever prints decide what a closed pipe means: rich would end the program."""

        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  (called where BrokenPipeError is handled)

    stream = sys.stderr if err else sys.stdout
    forced = {"always": True, "never": False}.get(color)
    if forced is None and os.environ.get("FORCE_COLOR"):
        forced = True
    no_color = forced is False or (forced is None and bool(os.environ.get("NO_COLOR")))
    return TellingConsole(
        file=stream, force_terminal=forced or None, no_color=no_color, highlight=False, soft_wrap=False,
        emoji=False,  # `:bell:` in somebody's message is that
    )  # fmt: skip


def plain_console(color: str) -> Console:
    """Return a console that never wraps or folds: for lines that people copy and tests read."""
    out = console(color)
    out.soft_wrap = True
    return out


def indented(text: str | None) -> Iterator[str]:
    """The lines of a traceback or another text of a tenant's, clean and set apart from what we say ourselves."""
    for line in (text or "").rstrip().split("\n"):
        if text:
            yield f"    {clean(line)}"


def _visible(text: str) -> str:
    """Escape in JSON what a terminal would obey and JSON leaves alone: the same document."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    # json.dumps of a character beyond U+FFFF is a pair of escapes, as JSON wants it; a lone surrogate is one
    return "".join(sign if clean(sign) == sign else json.dumps(sign)[1:-1] for sign in line)


def write_data(value: Any, output: str) -> None:
    """Write plain data to stdout as json or yaml: UTF-8 in every locale. Names that are not UTF-8 survive in json."""
    _note_written()
    if output == "json":
        text = _visible(json.dumps(value, indent=2, ensure_ascii=False))
        click.echo(text.encode("utf-8", "backslashreplace"))
        return
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.add_multi_representer(dict, type(yaml.representer).represent_dict)  # answers are of a kind of it
    buffer = StringIO()
    yaml.dump(value, buffer)
    if clean_lines(buffer.getvalue()) != buffer.getvalue():
        # then everything that is not ASCII is an escape: YAML leaves what turns the direction of text as it is
        buffer = StringIO()
        yaml.allow_unicode = False
        yaml.dump(value, buffer)
    click.echo(buffer.getvalue().encode("utf-8", "backslashreplace"), nl=False)


def write_line(value: Any) -> None:
    """Write plain data to stdout as one line of JSON, at once: whoever started the command waits for it."""
    _note_written()
    line = json.dumps(value, ensure_ascii=False)
    click.echo(_visible(line).encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


def write_error(error: WsgigroupsError, output: str) -> None:
    """Write for programs why a command has no result, unless one is on stdout already."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(_WRITTEN):
        return
    more: dict[str, Any] = {}
    if isinstance(error, BusyError):
        more["holder"] = error.holder
    if isinstance(error, MovedError):
        more["moved"] = list(error.moved)
    document = {"schema_version": 1, "error": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}
    with contextlib.suppress(OSError):  # what is said on stderr, and the exit code, are the same
        write_data({**document, **more}, output)


def _note_written() -> None:
    ctx = click.get_current_context(silent=True)
    if ctx is not None:
        ctx.meta[_WRITTEN] = True


@contextlib.contextmanager
def for_whoever_reads() -> Iterator[None]:
    """What is printed here is no result: where standard output is closed or full it goes nowhere, and work goes on."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, 1)  # what is left in the buffer goes there, too
        os.close(nowhere)


def say(text: str, verbosity: int = 0) -> None:
    """Write one line for people to stderr, unless -q was given. Where that is full, the command still does its work."""
    if verbosity >= 0:
        with contextlib.suppress(OSError):
            click.echo(text, err=True)
