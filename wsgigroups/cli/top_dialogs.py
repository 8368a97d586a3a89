"""The questions that `top` asks before it changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult

MOST_PROCESSES = 10_000


class Question(ModalScreen[bool]):
    """A sentence, and yes or no. Only `y` is yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "answer(True)"), Binding("n,escape,q", "answer(False)")]

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence

    def compose(self) -> ComposeResult:
        """Yield what is on the screen."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._sentence))
            yield Static(Text("y  yes      n  no", style="bold"))

    def action_answer(self, yes: bool) -> None:
        """Close it with an answer."""
        self.dismiss(yes)


class Number(ModalScreen[int | None]):
    """A sentence, and a number of processes. Enter takes it, Escape leaves everything as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave")]

    def __init__(self, sentence: str, value: int) -> None:
        super().__init__()
        self._sentence = sentence
        self._value = value

    def compose(self) -> ComposeResult:
        """Yield what is on the screen."""
        with Vertical(classes="dialog"):
            yield Static(Text(self._sentence))
            yield Input(str(self._value), type="integer", max_length=5, select_on_focus=True)
            yield Static(Text("Enter  scale      Escape  leave it", style="bold"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the number, where it is one."""
        number = int(event.value) if event.value.isascii() and event.value.isdigit() else 0
        if 1 <= number <= MOST_PROCESSES:
            self.dismiss(number if number != self._value else None)

    def action_leave(self) -> None:
        """Close it without an answer."""
        self.dismiss(None)
