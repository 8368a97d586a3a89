"""What a gateway's look-up of a site and a mount takes, in microseconds: `python router_cost.py` prints JSON.

Runs in any interpreter that has the runtime. Hosts and paths differ from one look-up to the next, in an order that no
cache can foresee; half of the hosts need lower case or have a port.
"""

from __future__ import annotations

import json
import random
import time

from wsgigroups.runtime.gateway.router import Router
from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute, StaticRoute

COUNTS = (10, 1000, 10_000)  # sites
LOOK_UPS = 20_000
REPEATS = 7


def routes(count: int) -> Routes:
    """Return sites with an alias, a wildcard, two mounts and a static directory each, all on one listener."""
    sites = {
        f"site-{number}": SiteRoute(
            f"www.site-{number}.example",
            (f"site-{number}.example", f"*.tenants.site-{number}.example"),
            (MountRoute("/", "blog"), MountRoute("/api", "blog")),
            (StaticRoute("/static", number),),
        )
        for number in range(count)
    }
    return Routes((ListenerRoute("0.0.0.0:80", tuple(sites)),), sites, {"blog": Link("sockets/blog.sock")})


def requests(count: int) -> list[tuple[str, str]]:
    """Return hosts and paths, shuffled: names, aliases, wildcards and, one in eight, names of nobody."""
    choice = random.Random(1)  # the same order in each run
    hosts = ("www.site-%d.example", "WWW.Site-%d.example", "site-%d.example:8080", "a.b.tenants.site-%d.example")
    paths = ("/", "/articles/%d/edit", "/api/things/%d", "/static/css/%d.css")
    found = []
    for number in range(LOOK_UPS):
        host = "nobody-%d.example" if number % 8 == 0 else hosts[number % 4]
        found.append((host % choice.randrange(count), choice.choice(paths).replace("%d", str(number))))
    choice.shuffle(found)
    return found


def microseconds(count: int) -> float:
    """Return the time of one look-up in the quickest run, the loop included: whatever disturbs makes it longer."""
    router, asked = Router(routes(count)), requests(count)
    runs = []
    for _repeat in range(REPEATS):
        began = time.perf_counter()
        for host, path in asked:
            router.find(0, host, path)
        runs.append((time.perf_counter() - began) / len(asked) * 1e6)
    return min(runs)


if __name__ == "__main__":
    print(json.dumps({f"{count} sites": round(microseconds(count), 2) for count in COUNTS}))
