"""Manual pages of the commands, in the language of man(7): from the same tables as `--help`.

click-man (0.6) does not make them, since it has no sections for examples, variables and exit codes, finds no command
that is loaded when it is called, and escapes no text: a line that begins with a dot would be a request of roff.
"""

from __future__ import annotations

import re

import click

from wsgigroups.cli.examples import EXAMPLES
from wsgigroups.cli.main import COMMANDS, cli
from wsgigroups.cli.verbs import GlobalOption, path_of, variables
from wsgigroups.errors import ExitCode

_EXIT = {
    ExitCode.DONE: "Done, or there was nothing to do.",
    ExitCode.FAILED: "The operation failed.",
    ExitCode.USAGE: "Wrong usage, or an invalid configuration.",
    ExitCode.NOT_RUNNING: "What was asked for is not ready (status --check).",
    ExitCode.NO_SUCH_GROUP: "There is no such group or process.",
    ExitCode.NOT_PERMITTED: "Not permitted.",
    ExitCode.NO_MANAGER: "No manager can be reached.",
    ExitCode.TIMED_OUT: "Timed out; what was begun goes on.",
    ExitCode.ROLLED_BACK: "It failed and was rolled back.",
}


def pages() -> dict[str, str]:
    """Return name of the file → text of every page."""
    root = click.Context(cli, info_name="wsgigroups", auto_envvar_prefix="WSGIGROUPS")
    found = {"wsgigroups.1": _page(cli, root)}
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(command, parent=root, info_name=name)
        found[f"wsgigroups-{name}.1"] = _page(command, context)
        for inner, each in (command.commands if isinstance(command, click.Group) else {}).items():
            found[f"wsgigroups-{name}-{inner}.1"] = _page(each, click.Context(each, parent=context, info_name=inner))
    return found


def _page(command: click.Command, ctx: click.Context) -> str:
    words = path_of(ctx)
    name = "-".join(["wsgigroups", *words.split()])
    short = COMMANDS[words][1] if words in COMMANDS else (command.help or "").split("\n", maxsplit=1)[0]
    lines = [
        f'.TH "{_text(name.upper())}" 1 "" "wsgigroups" "wsgigroups"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(short[:1].lower() + short[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(' '.join(['wsgigroups', *words.split()]))}",
        _text(" ".join(command.collect_usage_pieces(ctx))),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    own = [parameter for parameter in command.params if not isinstance(parameter, GlobalOption)]
    lines += _options("OPTIONS", own, ctx)
    lines += _options("GLOBAL OPTIONS", [each for each in command.params if isinstance(each, GlobalOption)], ctx)
    if command is cli:
        lines.append(".SH COMMANDS")
        for verb, (_module, text) in COMMANDS.items():
            lines += [".TP", f".BR wsgigroups\\-{_text(verb)} (1)", _text(text)]
    if EXAMPLES.get(words):
        lines.append(".SH EXAMPLES")
        for line, text in EXAMPLES[words]:
            lines += [".TP", f".B {_text(f'wsgigroups {line}')}", _text(text or line.split()[0])]
    names = variables(command, ctx) if command is not cli else []
    if names:
        lines += [".SH ENVIRONMENT", "Where an option is not given:", _text(", ".join(names)) + "."]
    lines.append(".SH EXIT STATUS")
    for code, meaning in _EXIT.items():
        lines += [".TP", f".B {int(code)}", _text(meaning)]
    see = "wsgigroups" if command is not cli else "wsgigroups-apply"
    lines += [".SH SEE ALSO", f".BR {_text(see)} (1)"]
    return "\n".join(lines) + "\n"


def _options(title: str, parameters: list[click.Parameter], ctx: click.Context) -> list[str]:
    lines = []
    for parameter in parameters:
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is not None:
            lines += [".TP", f".B {_text(record[0])}", _text(record[1] or "The format.")]
    return [f".SH {title}", *lines] if lines else []


def _paragraphs(text: str) -> list[str]:
    lines = []
    for paragraph in text.strip().split("\n\n"):
        verbatim = paragraph.startswith("\b\n")
        body = [line.strip() for line in paragraph.removeprefix("\b\n").splitlines()]
        lines += [".PP", *((".nf", *map(_text, body), ".fi") if verbatim else (_text(" ".join(body)),))]
    return lines


def _text(text: str) -> str:
    """As man(7) has it: a dash is one to type, and no line begins with what is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", escaped)
