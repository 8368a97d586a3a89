"""The screen of `top`: groups above, and of the chosen one below what each thread does. Imports textual.

Runs in the user's process. The manager is asked in a thread of its own, one question at a time, and less often where
its answers take long: who looks must not keep it busy.
"""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.widgets import DataTable, Footer, Static

from wsgigroups.cli.signs import STYLE
from wsgigroups.cli.top_dialogs import Number, Question
from wsgigroups.cli.top_rows import COLUMNS, DOING, ORDERS, GroupRow, SeenStatus, doing, group_rows, headline
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from wsgigroups.client import Client
    from wsgigroups.client.answers import ChangeAnswer, GroupDetailsAnswer, StatusAnswer

PERIOD_S = 1.0  # between two looks, where the manager answers fast
_SHARE = 10  # of the time that it takes to answer: the manager is busy with this for less than a tenth
_NARROW = 100  # columns; a narrower terminal has fewer of them
_LEFT_OUT = ("RESTARTS", "QUEUED", "P99", "CPU")
_RIGHT = ("RESTARTS", "BUSY", "QUEUED", "REQ/S", "P99", "CPU", "MEM", "FOR")
_WAIT_S = 30.0  # of one question how a change goes


class Top(App[int]):
    """Groups, processes and threads, live."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "wsgigroups top"
    CSS = """
    #head { height: 1; background: $primary; color: $text; text-style: bold; }
    #groups { height: 1fr; }
    #chosen { height: 1; background: $primary; color: $text; }
    #doing { height: 1fr; }
    #told { height: auto; max-height: 3; }
    Question, Number { align: center middle; }
    .dialog { width: 64; max-width: 90%; height: auto; padding: 1 2; background: $panel; border: thick $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort(1)", "sort"),
        Binding("S", "turn", "turn round"),
        Binding("r", "restart", "restart"),
        Binding("c", "scale", "scale"),
        Binding("space", "pause", "pause"),
        Binding("tab", "app.focus_next", "below", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, client: Client, names: tuple[str, ...] = (), period_s: float = PERIOD_S) -> None:
        """names: only these groups; without one all."""
        super().__init__()
        self._client = client
        self._names = names
        self._period_s = period_s
        self._look: SeenStatus | None = None
        self._before: SeenStatus | None = None
        self._details: GroupDetailsAnswer | None = None
        self._chosen: str | None = names[0] if names else None
        self._order = 0
        self._reverse = False
        self._paused = False
        self._columns: tuple[str, ...] = ()
        self._lost = False
        self._wake = threading.Event()  # something else is wanted to be known
        self._over = False

    # The screen

    def compose(self) -> ComposeResult:
        """Yield what is on the screen."""
        yield Static(id="head")
        yield DataTable[Text](id="groups", cursor_type="row", zebra_stripes=True)
        yield Static(id="chosen")
        yield DataTable[Text](id="doing", cursor_type="row")
        yield Static(id="told")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        for title in DOING:
            self._below.add_column(title, key=title)
        self._above.focus()
        # threads of a pool would be waited for at the end, however long a manager takes to answer
        threading.Thread(target=self._watch, daemon=True).start()

    def on_unmount(self) -> None:
        """Look no more."""
        self._over = True
        self._wake.set()

    def on_resize(self) -> None:
        """Choose the columns again."""
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the threads of another group."""
        if event.data_table.id == "groups":
            self._follow_cursor()

    def _follow_cursor(self) -> None:
        """Choose the group that the cursor is at: what an event says may be from before the rows were drawn again."""
        table = self._above
        if not table.row_count:
            return
        name = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        if name != self._chosen:
            self._chosen, self._details = name, None
            self._draw_below()
            self._wake.set()

    @property
    def _above(self) -> DataTable[Text]:
        return self.query_one("#groups", DataTable)

    @property
    def _below(self) -> DataTable[Text]:
        return self.query_one("#doing", DataTable)

    def _say(self, where: str, text: str, style: str = "") -> None:
        self.query_one(where, Static).update(Text(clean(text), style=style, no_wrap=where != "#told"))

    # Looking

    def _watch(self) -> None:
        """Ask again and again, in a thread of its own."""
        while not self._over:
            self._wake.clear()
            began = time.monotonic()
            if not self._paused:
                self._ask(began)
            took_s = time.monotonic() - began
            self._wake.wait(max(self._period_s, took_s * _SHARE) - took_s)

    def _ask(self, now: float) -> None:
        try:
            status = self._wanted(self._client.status())
            details, chosen = None, self._chosen
            if chosen is None and status["groups"]:
                chosen = status["groups"][0]["name"]
            if chosen is not None:
                details = self._details_of(chosen)
        except WsgigroupsError as error:
            self._tell(partial(self._miss, error))
        else:
            self._tell(partial(self._see, SeenStatus(now, status), details))

    def _tell(self, what: Callable[[], None]) -> None:
        """Have something done in the thread of the screen, while there is one."""
        if not self._over:
            with contextlib.suppress(RuntimeError, NoMatches):  # one that ends has lost its tables before it says so
                self.call_from_thread(what)

    def _wanted(self, status: StatusAnswer) -> StatusAnswer:
        if not self._names:
            return status
        found = status.copy()
        found["groups"] = [group for group in status["groups"] if group["name"] in self._names]
        return found

    def _details_of(self, name: str) -> GroupDetailsAnswer | None:
        try:
            return self._client.group(name)
        except WsgigroupsError as error:
            if error.exit_code in (ExitCode.NO_MANAGER, ExitCode.TIMED_OUT, ExitCode.NOT_PERMITTED):
                raise
            return None  # it has gone meanwhile, or the manager is of a version that cannot say

    def _miss(self, error: WsgigroupsError) -> None:
        self._lost = True
        self._say("#told", f"{error.message}; what is shown is from before", "bold red")

    def _see(self, look: SeenStatus, details: GroupDetailsAnswer | None) -> None:
        self._before, self._look = self._look, look
        if details is None or details["name"] == self._chosen or self._chosen is None:
            self._details = details
        if self._lost:
            self._lost = False
            self._say("#told", "")
        self._draw()

    # Drawing

    def _draw(self) -> None:
        look = self._look
        if look is None:
            return
        self._follow_cursor()
        columns = tuple(title for title in COLUMNS if self.size.width >= _NARROW or title not in _LEFT_OUT)
        order = ORDERS[self._order]
        rows = group_rows(look, self._before, order, reverse=self._reverse)
        names = [row.name for row in rows]
        if self._chosen not in names:
            self._chosen = names[0] if names else None
        self._say("#head", f"{headline(look)}{' · paused' if self._paused else ''}")
        table = self._above
        with self.batch_update():
            self._label(table, columns, order.name)
            table.clear()
            for row in rows:
                table.add_row(*self._cells(row, columns), key=row.name)
            if self._chosen is not None:
                table.move_cursor(row=names.index(self._chosen), animate=False)
        self._draw_below()

    def _label(self, table: DataTable[Text], columns: tuple[str, ...], sorted_by: str) -> None:
        """The titles, with a sign at the one that rows are sorted by."""
        labels = tuple(f"{title}{'▴' if self._reverse else '▾'}" if title == sorted_by else title for title in columns)
        if labels != self._columns:
            self._columns = labels
            table.clear(columns=True)
            for label in labels:
                table.add_column(Text(label), key=label)

    def _cells(self, row: GroupRow, columns: tuple[str, ...]) -> list[Text]:
        style = STYLE.get(row.state, "")
        return [
            Text(
                cell,
                style=style if title in ("GROUP", "STATE") else "",
                justify="right" if title in _RIGHT else "left",
                no_wrap=True,
            )
            for title, cell in zip(COLUMNS, row.cells(), strict=True)
            if title in columns
        ]

    def _draw_below(self) -> None:
        table, look, name = self._below, self._look, self._chosen
        if look is None:
            return
        at = table.cursor_row
        rows = doing(name, look, self._before, self._details) if name is not None else []
        self._say("#chosen", f"{name}: what its threads do" if name is not None else "no group")
        with self.batch_update():
            table.clear()
            for row in rows:
                table.add_row(
                    *(
                        Text(
                            cell,
                            style=STYLE.get(row[1], "") if title == "PROCESS" else "",
                            justify="right" if title in _RIGHT else "left",
                            no_wrap=True,
                        )
                        for title, cell in zip(DOING, row, strict=True)
                    )
                )
            table.move_cursor(row=min(at, max(0, len(rows) - 1)), animate=False)

    # Keys

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        self._order, self._reverse = (self._order + step) % len(ORDERS), False
        self._draw()

    def action_turn(self) -> None:
        """Sort the other way round."""
        self._reverse = not self._reverse
        self._draw()

    def action_pause(self) -> None:
        """Hold still, or go on."""
        self._paused = not self._paused
        self._draw()

    def action_restart(self) -> None:
        """Ask, and have the chosen group's processes replaced."""
        group = self._group()
        if group is None:
            return
        name = group.name
        sentence = f"Restart {clean(name)}? Its {group.wanted} processes are replaced, each by one that is ready first."

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin("restart", {"groups": [name]}, name)

        self.push_screen(Question(sentence), answered)

    def action_scale(self) -> None:
        """Ask for a number, and have as many processes of the chosen group."""
        group = self._group()
        if group is None:
            return
        name = group.name
        sentence = f"How many processes is {clean(name)} to have? An apply returns to what the file says."

        def answered(number: int | None) -> None:
            if number is not None:
                self._begin("scale", {"processes": {name: number}}, name)

        self.push_screen(Number(sentence, group.wanted), answered)

    def _group(self) -> GroupRow | None:
        rows = group_rows(self._look, None, ORDERS[0]) if self._look else []
        return next((row for row in rows if row.name == self._chosen), None)

    def _begin(self, action: str, body: dict[str, object], name: str) -> None:
        self._say("#told", f"{action} {name} …")
        threading.Thread(target=self._carry_out, args=(action, body, name), daemon=True).start()

    def _carry_out(self, action: str, body: dict[str, object], name: str) -> None:
        """Begin it and wait for its end, in a thread of its own."""
        try:
            number = self._client.act(action, body)["change"]
            if number is None:
                text, style = f"{action} {name}: there was nothing to do", ""
            else:
                change = self._client.wait(number, wait_s=_WAIT_S)
                while not change["finished"] and not self._over:
                    change = self._client.wait(number, change["seen"], _WAIT_S)
                text, style = _outcome(action, name, change)
        except WsgigroupsError as error:
            text, style = error.message, "bold red"
        self._tell(partial(self._say, "#told", text, style))


def _outcome(action: str, name: str, change: ChangeAnswer) -> tuple[str, str]:
    part = change["groups"].get(name)
    error = part["error"] if part else None
    text = f"{action} {name}: {change['outcome']}" + (f", {error['message']}" if error else "")
    return text, "green" if change["outcome"] == "done" else "bold red"
