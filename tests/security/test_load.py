"""What somebody who may plan asks of the manager costs nobody else an answer."""

from __future__ import annotations

import threading
import time

from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import load


def test_a_large_plan_keeps_nobody_waiting(manager: ManagerUnderTest) -> None:
    common = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
    manager.apply(f'[groups.a]\n{common}listen = ["127.0.0.1:{manager.port()}"]\n')
    many = "".join(f'[groups.g{i}]\n{common}listen = ["127.0.0.1:{10000 + i}"]\n' for i in range(2000))
    path = manager.base / "many.toml"
    path.write_text("version = 1\n" + many)
    configuration = load([path], trust=False).configuration
    assert configuration is not None
    plans = []
    body = {"configuration": configuration.to_document()}
    asking = threading.Thread(target=lambda: plans.append(manager.client.post("/v1/plan", body)))
    asking.start()
    took_s = []
    while asking.is_alive():
        began = time.monotonic()
        manager.status()
        took_s.append(time.monotonic() - began)
    asking.join()
    assert plans[0]["counts"]["add"] == 2000
    assert len(took_s) > 1
    assert max(took_s) < sum(took_s) / 2  # nobody has waited for all of it
