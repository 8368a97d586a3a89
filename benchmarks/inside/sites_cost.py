"""What so many sites cost a gateway: `python sites_cost.py COUNT` prints JSON.

Runs in any interpreter that has the runtime. `lookup_us`: see router_cost.py. `change_ms`: from the text of the routes
being there, one of which leads elsewhere, until a gateway in this process goes by them.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import statistics
import sys
import time
from dataclasses import replace

from wsgigroups.runtime.gateway import table
from wsgigroups.runtime.gateway.server import GatewayServer
from wsgigroups.runtime.wire.board import private
from wsgigroups.runtime.wire.routes import MountRoute, Routes, SiteRoute
from wsgigroups.runtime.wire.spec import Serving

CHANGES = 9
router_cost = importlib.import_module("router_cost")  # it lies beside this file, which is run alone


def changes_ms(count: int) -> list[float]:
    """Return what each of several changes takes, after the first routes."""
    found: Routes = router_cost.routes(count)
    found = replace(found, sites={name: replace(site, statics=()) for name, site in found.sites.items()})
    first = next(iter(found.sites))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = GatewayServer(
            settings=Serving(threads=1),
            listen=[found.listeners[0].address],
            listeners=[listener],
            board=private(1),
            log=lambda _level, _text: None,
        )
        known: dict[str, SiteRoute] = {}
        times = []
        for number in range(CHANGES + 1):
            sites = dict(found.sites)
            sites[first] = replace(sites[first], mounts=(MountRoute(f"/{number}", "blog"),))
            fd = os.memfd_create("routes")
            os.write(fd, replace(found, sites=sites).to_text().encode())
            began = time.perf_counter()
            server.route(table.load(fd, known))
            times.append((time.perf_counter() - began) * 1000)
            os.close(fd)
            if number == 0:
                server.start()
        server.close()
    return times[1:]


if __name__ == "__main__":
    sites = int(sys.argv[1])
    print(json.dumps({"lookup_us": router_cost.microseconds(sites), "change_ms": statistics.median(changes_ms(sites))}))
