"""`make schemas`: write what is made from models and tables: schemas, options, pages of diagnostics and the lifecycle.

Tests compare the files with what this writes, so a change of a model without `make schemas` fails.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.environment import CLONE


def contents() -> dict[str, str]:
    """Return path → text of every generated file."""
    import wsgigroups
    from tools import client_types, lifecycle_page, man_pages, metrics_page, status_page
    from wsgigroups.config.codes import CODES
    from wsgigroups.config.codes.page import make_index, make_page
    from wsgigroups.config.reference import make_data, make_markdown
    from wsgigroups.config.schema import make_schema
    from wsgigroups.manager.control.openapi import openapi

    schema = _json(make_schema())
    pages = {f"docs/diagnostics/{code}.md": make_page(entry) for code, entry in CODES.items()}
    return {
        "schemas/groups.schema.json": schema,
        "schemas/control.openapi.json": _json(openapi(wsgigroups.__version__)),
        "wsgigroups/config/generated/groups.schema.json": schema,
        "wsgigroups/config/generated/options.json": _json(make_data()),
        "wsgigroups/client/answers.py": client_types.make_module(),
        "docs/options.md": make_markdown(),
        "docs/lifecycle.md": lifecycle_page.make_markdown(),
        "docs/metrics.md": metrics_page.make_markdown(),
        "docs/status.md": status_page.make_markdown(),
        "docs/diagnostics/index.md": make_index(),
        **pages,
        **{f"man/{name}": text for name, text in man_pages.pages().items()},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(root: Path) -> list[str]:
    """Write what differs; return the paths."""
    changed = []
    for name, text in contents().items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def main() -> None:
    """Write all files and say which changed."""
    changed = write(CLONE)
    print("\n".join(f"wrote {name}" for name in changed) or "everything is up to date")


if __name__ == "__main__":
    main()
