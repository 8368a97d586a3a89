"""What the board costs a request, in nanoseconds: `python board_cost.py` prints JSON.

Runs in a daemon's interpreter. The statements that are measured are taken from the source of the installed runtime:
those of `Crew._answer` that touch the board with the look at the clock that they need, those of `Caller.answer` that
take an answer into the run of equal ones, and `Crew._publish`, which adds a tally to the board each time that a thread
is about to wait.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_type_hints

from wsgigroups.runtime.calls.crew import Crew
from wsgigroups.runtime.protocol.responses import Prepared
from wsgigroups.runtime.records.access import AccessLog
from wsgigroups.runtime.wire import board
from wsgigroups.runtime.wsgi.caller import Caller

LOOPS = 100_000
REPEATS = 7
ARGUMENTS = "self, me, connection, head, prepared, tally, access, data, start_ns, end_ns"


def statements(function: Callable[..., Any]) -> list[ast.stmt]:
    """Return the simple statements of a function that touch board or tally."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(definition, ast.FunctionDef)
    return [
        statement
        for statement in definition.body
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr | ast.If)
        and names(statement) & {"words", "word", "tally", "run"}
        and not (names(statement) & {"answer", "_clock", "_make_ready", "_conclude"})
    ]


def names(statement: ast.stmt) -> set[str]:
    """Return the names of variables and attributes in a statement."""
    nodes = list(ast.walk(statement))
    variables = {node.id for node in nodes if isinstance(node, ast.Name)}
    return variables | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def counting() -> list[ast.stmt]:
    """Return what one request does for the board."""
    return [*ast.parse("start_ns = self._clock()").body, *statements(Crew._answer), *statements(Caller.answer)]


def function_of(body: list[ast.stmt]) -> Callable[..., None]:
    """Return a function of these statements."""
    module = ast.parse(f"def request({ARGUMENTS}):\n    pass\n")
    definition = module.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.body += body
    scope: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(module), "<board>", "exec"), scope)
    request: Callable[..., None] = scope["request"]
    return request


def nanoseconds(call: Callable[[], object], loops: int) -> float:
    """Return the time of one call in the quickest run, the loop included: whatever disturbs makes it longer."""
    runs = []
    for _repeat in range(REPEATS):
        began_ns = time.perf_counter_ns()
        for _loop in range(loops):
            call()
        runs.append((time.perf_counter_ns() - began_ns) / loops)
    return min(runs)


def measure(loops: int = LOOPS) -> dict[str, object]:
    """Return the figures, and the statements that they are about."""
    page = board.private(15)
    tally = get_type_hints(Crew._publish)["tally"]()
    body = counting()
    crew = SimpleNamespace(
        _clock=time.monotonic_ns,
        _words=page.words,
        _detached=0,
        maximum_requests=0,
        on_maximum_requests=None,
    )
    prepared = Prepared(200, b"")
    run = AccessLog("off", lambda _lines: None).run(None, prepared, 150)
    tally.begin(run)
    arguments = (
        crew,
        SimpleNamespace(busy_word=board.BUSY_WORD, tally=tally),
        SimpleNamespace(arrived_ns=0),
        SimpleNamespace(noted=None),
        prepared,
        tally,
        None,
        bytes(150),
        0,
        10_000,
    )
    with_statements, without = function_of(body), function_of([])

    def publish() -> None:
        run.take(10_000)
        Crew._publish(crew, tally)  # type: ignore[arg-type]

    def fill() -> None:
        run.take(10_000)
        run.took.pop()

    counted_ns = nanoseconds(lambda: with_statements(*arguments), loops)
    run.took.clear()
    empty_ns = nanoseconds(lambda: without(*arguments), loops)
    published_ns = nanoseconds(publish, loops) - nanoseconds(fill, loops)
    return {
        "request_ns": counted_ns - empty_ns,
        "publish_ns": published_ns,
        "statements": [ast.unparse(statement) for statement in body],
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
