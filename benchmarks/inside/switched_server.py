"""Processes of wsgigroups' server with one mechanism on or off: `python switched_server.py APPLICATIONS PORT SWITCH
on|off` serves until it is killed.

Runs in a daemon's interpreter. Several processes share the listener, as those of a group do; they end with the process
group.
"""

from __future__ import annotations

import os
import signal
import sys

from alone import listen, make_server  # type: ignore[import-not-found]
from switches import switch_of, throw  # type: ignore[import-not-found]

from wsgigroups.runtime.wire import pulse
from wsgigroups.runtime.wire.pulse import Pulse


def main(applications: str, port: str, name: str, position: str) -> None:
    """Fork what the layout has more than one process, and serve."""
    switch = switch_of(name)
    if position == "off":
        throw(switch)
    told = position == "on" or switch.pulses
    listener, page = listen(int(port)), pulse.create("bench")
    slot = 0
    while slot + 1 < switch.processes and not os.fork():
        slot += 1
    several = switch.processes > 1
    pulses = [Pulse(page)] if several and told else []
    server, _board = make_server(applications, listener, switch.threads, slot=slot if several else None, pulses=pulses)
    server.start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
