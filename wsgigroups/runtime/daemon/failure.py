"""A step on the way up that failed: the one exception between the steps and the report of them.

Pure. A step is a key of wire.exits.STEPS, which gives the exit code.
"""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import contextmanager
from os.path import dirname
from traceback import FrameSummary
from types import TracebackType
from typing import Iterator, List, Optional

from ..originals import os
from ..wire.exits import STEPS

MAXIMUM_TRACEBACK_CHARACTERS = 65536  # it travels in one frame, is stored and shown; its end says most
_HEAD = "Traceback (most recent call last):\n"
_OURS = dirname(dirname(__file__))


class StepError(Exception):
    """`step` failed; the message is one sentence that begins with "cannot"."""

    def __init__(self, step: str, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.step = step
        self.trace = trace

    @property
    def exit_code(self) -> int:
        """Return the step's own exit code."""
        return STEPS[self.step]

    @property
    def wants_memory(self) -> bool:
        """Whether it failed because no more memory was to be had."""
        error = self.__cause__
        while error is not None:
            if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
                return True
            if isinstance(error, ImportError) and os.strerror(errno.ENOMEM) in str(error):  # dlopen(3) says it in words
                return True
            error = error.__cause__ or error.__context__
        return False


@contextmanager
def step(name: str, what: str) -> Iterator[None]:
    """Turn any error of the block into StepError("cannot <what>: <error>")."""
    try:
        yield
    except StepError:
        raise
    except OSError as error:
        raise StepError(name, "cannot %s: %s" % (what, error)) from error
    except Exception as error:
        message = "cannot %s: %s" % (what, described(error))
        raise StepError(name, message, traceback_of(error, ours=True)) from error


def described(error: BaseException) -> str:
    """Return "ValueError: text", or the bare name when it has no text."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an application's exception class may be broken itself
        text = "(its text cannot be shown)"
    return "%s: %s" % (name, text) if text else name


def traceback_of(error: BaseException, ours: bool = False) -> str:
    """Return the traceback as text without the frames that led from us to the application, its end if it is long.

    A missing module or a syntax error has no frame of the application: then it is the head and the error. With `ours`
    the error is one of our own, and so are the frames that count.
    """
    trace = error.__traceback__ if ours else _trimmed(error.__traceback__)
    try:
        lines = traceback.format_exception(type(error), error, trace)
        lines = [line for line in lines if not line.startswith('  File "<frozen importlib')]
    except Exception:  # noqa: BLE001 - as above
        lines = [described(error)]
    if lines[0] != _HEAD:
        lines.insert(0, _HEAD)
    text = "".join(lines)
    if len(text) > MAXIMUM_TRACEBACK_CHARACTERS:
        text = "(cut)\n" + text[-MAXIMUM_TRACEBACK_CHARACTERS:]
    return text


def is_ours(error: BaseException) -> bool:
    """Whether our own code has raised it, and nothing that our code has called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _is_ours(trace.tb_frame.f_code.co_filename)


def _trimmed(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def without_ours(stack: List[FrameSummary]) -> List[FrameSummary]:
    """Return a stack without the frames that led from us to the application, and those of imports; at least one."""
    first = 0
    while first < len(stack) - 1 and _is_ours(stack[first].filename):
        first += 1
    return [frame for frame in stack[first:] if not frame.filename.startswith("<frozen importlib")]


def _is_ours(filename: str) -> bool:
    importing = sys.modules["importlib"].__file__
    return filename.startswith((_OURS, "<frozen importlib")) or filename == importing
