"""The lifecycle table as text for docs/lifecycle.md: a diagram and a table, never kept by hand. Pure."""

from __future__ import annotations

from wsgigroups.lifecycle.table import IGNORE, TABLE, TIMER, EventKind, Timer, Transition


def diagram() -> str:
    """Return a Mermaid state diagram of every transition."""
    lines = ["stateDiagram-v2", "    [*] --> ABSENT"]
    for state, row in TABLE.items():
        edges: dict[str, list[str]] = {}
        for event, cell in row.items():
            if isinstance(cell, Transition) and (cell.state is not state or cell.action):
                edges.setdefault(cell.state.name, []).append(event.name)
        for target, events in edges.items():
            lines.append(f"    {state.name} --> {target}: {', '.join(events)}")
    return "\n".join(lines)


def table() -> str:
    """Return the whole table in Markdown: `·` ignored, `✗` impossible, else the next state and the action."""
    header = ["state", "deadline", *(event.name for event in EventKind)]
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    for state, row in TABLE.items():
        timer = TIMER[state]
        cells = [state.name, "–" if timer is Timer.NONE else timer.value]
        for event in EventKind:
            cell = row[event]
            if isinstance(cell, Transition):
                cells.append(cell.state.name + (f", {cell.action.value}" if cell.action else ""))
            else:
                cells.append("·" if cell == IGNORE else "✗")
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)
