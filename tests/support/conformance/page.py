"""docs/conformance.md, from what both servers said. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from support.conformance.case import BETTER, ON_PURPOSE, Case, Row

_HEAD = """\
# Beside Apache with mod_wsgi

Written by `make conformance`, which starts an Apache with mod_wsgi {version} in daemon mode and a manager of this
project, gives both the same scripts and options, and asks both the same. Nothing in the tables is written by hand but
the sentences. A difference without a sentence fails the test, and so does a sentence about what is equal. It needs root
and Debian's packages `apache2-bin` and `libapache2-mod-wsgi-py3`; Apache as a service of the machine is not touched.

Of {total} facts {equal} are equal, {better} are *better*: what is done here is what people ask mod_wsgi for; and
{on_purpose} are *different on purpose*: they follow from a decision. “–” is what a side has not got. *connection
closed*: the client gets no byte in answer. *cut short*: it gets the beginning, and can see that the rest is missing.
"""


def make_page(parts: Mapping[str, Sequence[Case]], found: Sequence[Row]) -> str:
    """Return the page."""
    by_case: dict[str, list[Row]] = {}
    for row in found:
        by_case.setdefault(row.case, []).append(row)
    version = next(row.theirs for row in found if row.fact == "environ `mod_wsgi.version`")
    kinds = [row.apart.kind for row in found if row.apart]
    text = _HEAD.format(
        version=".".join(part.strip("(),`") for part in version.split()[1:]),
        total=len(found),
        equal=len(found) - len(kinds),
        better=kinds.count(BETTER),
        on_purpose=kinds.count(ON_PURPOSE),
    )
    return text + "".join(line for title, cases in parts.items() for line in _part(title, cases, by_case))


def _part(title: str, cases: Sequence[Case], by_case: Mapping[str, Sequence[Row]]) -> Iterable[str]:
    yield f"\n## {title}\n"
    for case in cases:
        rows = by_case[case.name]
        yield f"\n### {case.about}\n\n"
        if case.options or case.here:
            written = [f"{name} = {value}" for name, value in case.options.items()]
            only = [f"{name} = {value}".lower() for name, value in case.here.items()]
            here = f"; here also `{', '.join(only)}`" if only else ""
            yield f"Options: `{', '.join(written)}`{here}\n\n" if written else f"Only here: `{', '.join(only)}`\n\n"
        yield "| | mod_wsgi | here | |\n|---|---|---|---|\n"
        yield from (_line(row) for row in rows)


def _line(row: Row) -> str:
    verdict = "equal" if row.equal else "unexplained"
    if row.apart:
        verdict = f"**{row.apart.kind}**: {row.apart.why}"
    return f"| {_cell(row.fact)} | {_cell(row.theirs)} | {'' if row.equal else _cell(row.ours)} | {verdict} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or "(empty)"
