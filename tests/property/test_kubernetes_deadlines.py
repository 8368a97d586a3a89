"""Whatever a group's times are: every deadline of a pod is shorter than the one around it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.clusters import SHOP, container, objects

from wsgigroups.config import Configuration
from wsgigroups.config.units import format_duration
from wsgigroups.interop.renderers.kubernetes.deadlines import DRAIN_DELAY_S

SECONDS = st.one_of(st.integers(1, 10**5).map(float), st.floats(0.001, 10**4).map(lambda value: round(value, 3)))
_EXIT_S = 1


def window_s(probe: Any) -> float:
    """When the kubelet has had enough, from the start of the container."""
    return float(probe.get("initialDelaySeconds", 0) + probe["periodSeconds"] * probe["failureThreshold"])


@settings(max_examples=30, deadline=None)
@given(SECONDS, st.one_of(st.none(), SECONDS), st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_every_deadline_is_shorter_than_the_one_around_it(
    shutdown_s: float, startup_s: float | None, processes: int, limit_mib: int, scaled: bool
) -> None:
    text = SHOP.replace("processes = 2", f"processes = {processes}").replace('"200M"', f'"{limit_mib}M"')
    text += f'shutdown-timeout = "{format_duration(shutdown_s)}"\n'
    text += f'startup-timeout = "{format_duration(startup_s)}"\n' if startup_s else ""
    text += 'kubernetes = { autoscale = "keda", replicas-max = 3 }\n' if scaled else ""
    found = objects(text)
    inside = Configuration.from_document(found["shop-groups"]).groups["shop"]  # what the manager in the pod goes by
    spec = found["shop-deployment"]["spec"]
    only = container(found)

    assert DRAIN_DELAY_S + inside.shutdown_timeout + _EXIT_S < spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert inside.startup_timeout < window_s(only["startupProbe"]) < spec["progressDeadlineSeconds"]
    for name in ("startup", "readiness", "liveness"):
        probe = only[f"{name}Probe"]
        assert probe["timeoutSeconds"] < probe["periodSeconds"]
    assert window_s(only["readinessProbe"]) < window_s(only["livenessProbe"])
    (endpoint,) = found["shop-pod-monitor"]["spec"]["podMetricsEndpoints"]
    assert int(endpoint["scrapeTimeout"][:-1]) < int(endpoint["interval"][:-1])
    limit = int(only["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert (processes + 1) * inside.memory_limit < limit * 2**20  # memory-limit comes before the kernel
    if scaled:
        scaling = found["shop-scaled-object"]["spec"]
        behavior = scaling["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert scaling["pollingInterval"] < behavior["scaleDown"]["stabilizationWindowSeconds"]
