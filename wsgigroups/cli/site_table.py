"""The part of the status that tells of sites, and what is wrong with their certificates.

Runs in the user's process; given plain data only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from wsgigroups.runtime.text import clean
from wsgigroups.trust.validity import WARNING_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.client.answers import CertificateAnswer, GatewayAnswer, OrderAnswer, SiteAnswer

MOST_SITES = 20  # in a table for people; `-o json` has them all
_COLUMNS = ("site", "listen", "leads to", "requests", "tls ends in")


def site_parts(gateway: GatewayAnswer) -> list[Table | Text]:
    """Return what to print below the groups: the sites, and each certificate that ends soon or has ended."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    waiting = {key: item["state"] for item in gateway["orders"] if item["state"] != "made" for key in item["sites"]}
    secure = bool(gateway["certificates"] or gateway["orders"])
    for name in _COLUMNS if secure else _COLUMNS[:-1]:
        if name == "requests":
            table.add_column(name, no_wrap=True, justify="right")
        else:
            table.add_column(name, no_wrap=name == "tls ends in", overflow="fold")
    ends = {item["file"]: item["days_left"] for item in gateway["certificates"]}
    tls = {item["address"] for item in gateway["listeners"] if item["tls"]}
    for site in gateway["sites"][:MOST_SITES]:
        row: list[Text | str] = [Text(clean(site["name"]), style="bold"), _listen(site, tls), _leads(site)]
        row.append(str(site["requests_total"]))
        table.add_row(*row, *([_ends(site, ends, waiting)] if secure else []))
    parts: list[Table | Text] = [Text(""), table]
    more = len(gateway["sites"]) - MOST_SITES
    if more > 0:
        parts.append(Text(f"and {more} more sites", style="dim"))
    # an authority may make them for a few days only: its are warned of when they were not renewed
    kept = {key for item in gateway["orders"] if item["error"] is None for key in item["sites"]}
    ending = [item for item in gateway["certificates"] if item["days_left"] < WARNING_DAYS]
    fine = [item for item in ending if item["days_left"] >= 0 and item["sites"] and kept.issuperset(item["sites"])]
    parts += [_warning(item) for item in ending if item not in fine]
    parts += [_failure(item) for item in gateway["orders"] if item["error"] is not None]
    return parts


def _listen(site: SiteAnswer, tls: set[str]) -> str:
    return clean(" ".join(f"{address} (tls)" if address in tls else address for address in site["listen"]))


def _leads(site: SiteAnswer) -> str:
    found = [f"{path} {group}" for path, group in site["mounts"].items()]
    return clean(", ".join([*found, *(f"{path} {directory}" for path, directory in site["static"].items())]))


def _ends(site: SiteAnswer, ends: dict[str, int], waiting: Mapping[str, str]) -> Text:
    file = site["certificate"]
    if file is None:
        return Text(waiting.get(site["name"], ""), style="yellow")
    days = ends.get(file, 0)
    return Text(
        "is over" if days < 0 else _days(days), style="red" if days < 0 else "yellow" if days < WARNING_DAYS else ""
    )


def _failure(item: OrderAnswer) -> Text:
    text = Text(f"\ncertificate for {clean(_some(item['names']))}: ", style="yellow")
    return text.append(clean(f"{item['error']}; it is tried again at {item['next_at']}"), style="")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _warning(item: CertificateAnswer) -> Text:
    text = Text(f"\ncertificate {clean(item['file'])}: ", style="red" if item["days_left"] < 0 else "yellow")
    verb = "ended" if item["days_left"] < 0 else "ends"
    when = f"it {verb} at {item['expires_at']}"
    return text.append(clean(f"{when}; {_some(item['sites']) or 'no site'} has it"), style="")
