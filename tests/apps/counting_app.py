"""Counts its requests with prometheus_client, in several processes if it is told to; answers the process id."""

import os

from prometheus_client import Counter, Gauge

ORDERS = Counter("shop_orders", "Orders that were taken")
OPEN = Gauge("shop_open", "Shops that are open", multiprocess_mode="livesum")


def application(environ, start_response):
    """Count this request."""
    ORDERS.inc()
    OPEN.set(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
