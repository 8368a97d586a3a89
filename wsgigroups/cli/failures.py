"""What goes wrong, as one sentence and an exit code; and streams that go wrong in a way that can be told.

Runs in the user's process, before and after a command.
"""

from __future__ import annotations

import errno
import io
import os
import sys

import click

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

CLOSED_PIPE = 141  # as a shell says SIGPIPE


def prepare_streams() -> None:
    """Give descriptors 0 to 2 an owner where they are closed, and stdout a way to write every character.

    A closed one would be the next file that is opened. What is written to a closed stdout is lost, and so has to fail
    (stdin stays None: reading says that it is closed); where stderr is closed nobody wants to hear.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a locale may have no such character, and a name bytes that are none
        sys.stdout.reconfigure(errors="backslashreplace")


def release_streams() -> None:
    """Drop what stderr cannot take: the interpreter would flush it again and end with a status of its own."""
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(2)


def explain_usage(error: click.ClickException) -> int:
    """Say what is wrong with a command line, and how it is written; return the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the help
        error.show()
        return error.exit_code
    message = error.format_message().rstrip(".").replace("\n\t", " ")  # choices have a line each, set apart by a tab
    context = getattr(error, "ctx", None)
    _say(f"error: {clean(message[:1].lower() + message[1:], chr(10))}", None)
    if context is not None:
        pieces = " ".join(context.command.collect_usage_pieces(context))
        _say(f"usage: {context.command_path} {pieces}", f"hint: `{context.command_path} --help` has all options")
    return error.exit_code


def explain(error: Exception, verbosity: int) -> int:
    """Say what happened on stderr; return the exit code."""
    if isinstance(error, BrokenPipeError):
        _to_nowhere(1)
        return CLOSED_PIPE
    if isinstance(error, WsgigroupsError):
        _say(f"error: {clean(error.message)}", f"hint: {clean(error.hint)}" if error.hint else None)
        return int(error.exit_code)
    if isinstance(error, OSError):
        _to_nowhere(1)
        _say(
            f"error: cannot {clean(_attempt(error))}: {(error.strerror or str(error) or 'no reason given').lower()}",
            None,
        )
    else:
        hint = "hint: this is a mistake in wsgigroups; with -v it shows where"
        _say(f"error: internal: {type(error).__name__}: {clean(str(error))}", None if verbosity > 0 else hint)
    if verbosity > 0:
        import traceback

        from wsgigroups.cli.output import indented

        _say("\n".join(indented("".join(traceback.format_exception(error)))), None)
    return int(ExitCode.FAILED)


def _attempt(error: OSError) -> str:
    """What the system refused, as far as the error knows: names of files, or what only happens to output."""
    if isinstance(error.filename, (str, bytes)):
        return f"use {os.fsdecode(error.filename)}"
    written = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
    return "write the output" if error.errno in written else "go on"


def _say(text: str, hint: str | None) -> None:
    try:
        click.echo(text, err=True)
        if hint:
            click.echo(hint, err=True)
    except OSError:
        return  # nobody can be told; the exit code remains


def _to_nowhere(descriptor: int) -> None:
    """What is still in a buffer goes nowhere, so that the interpreter does not complain again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
