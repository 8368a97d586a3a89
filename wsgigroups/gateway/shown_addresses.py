"""Where a group answers, as people type it: its own addresses, and those of the sites that lead to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wsgigroups.plan.routing import GATEWAY, link_path

if TYPE_CHECKING:
    from collections.abc import Iterator

Shown = Mapping[str, Any]  # a part of the status, as the control API answers it


def addresses(group: Shown, gateway: Shown | None) -> list[str]:
    """Return `http://127.0.0.1:8000`, `unix:/run/a.sock`, `https://www.example.org/api`."""
    secure = {item["address"] for item in gateway["listeners"] if item["tls"]} if gateway else set()
    shown = []
    linked = False
    for address in group["listen"]:
        if _is_link(address, group):
            linked = True
        elif address.startswith("unix:"):
            shown.append(address)
        else:
            shown.append(f"{'https' if group['name'] == GATEWAY and address in secure else 'http'}://{address}")
    if linked:
        of_sites = [url for site in (gateway["sites"] if gateway else ()) for url in _urls(site, group["name"], secure)]
        shown += of_sites or ["(sites)"]
    return shown


def _is_link(address: str, group: Shown) -> bool:
    """Whether only the gateway asks there."""
    return address.startswith("unix:") and address.endswith(f"/gateway/{link_path(group['name'])}")


def _urls(site: Shown, group: str, secure: set[str]) -> Iterator[str]:
    tls = [address for address in site["listen"] if address in secure]
    scheme, usual = ("https", "443") if tls else ("http", "80")
    ports = {address.rpartition(":")[2] for address in tls or site["listen"]}
    port = "" if usual in ports or not ports else f":{min(ports)}"
    for path, name in site["mounts"].items():
        if name == group:
            yield f"{scheme}://{site['server_name']}{port}{path}"
