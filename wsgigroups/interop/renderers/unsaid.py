"""What another program cannot be told: a file of it says so at its top. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Unsaid:
    """Options by their places, each with what becomes of it."""

    lines: list[str] = field(default_factory=list)

    def add(self, place: str, why: str = "") -> None:
        """Note one option, once."""
        text = f"{place}: {why}" if why else place
        if text not in self.lines:
            self.lines.append(text)

    def comment(self, head: str) -> list[str]:
        """Return lines of a comment; none where everything was said. head: the sentence before them."""
        return ["#", f"# {head}", *(f"#   {in_a_comment(text)}" for text in self.lines)] if self.lines else []


def in_a_comment(text: str) -> str:
    """Return a text that stays in the line of a comment, whatever names of the configuration are in it."""
    return "".join(item if item.isprintable() else "?" for item in text)
