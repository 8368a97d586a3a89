"""What Prometheus' own tool says of the metrics, and of the rules and the dashboard that are made for them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from support.measured_facts import facts

from wsgigroups.config import Configuration
from wsgigroups.interop.renderers import RENDERERS, RenderContext
from wsgigroups.metrics.exposition import exposition

CONTEXT = RenderContext(Path("/run/wsgigroups"), {}, "", "", "")
GROUPS = {"blog": {"app": "blog:app", "listen": ["127.0.0.1:8000"]}, "shop": {"app": "shop:app", "listen": ["[::1]:1"]}}
CONFIGURATION = Configuration.from_document({"version": 1, "groups": GROUPS})


def checked(*arguments: str, data: str = "") -> str:
    """Return what promtool prints; it must be content."""
    done = subprocess.run(["promtool", *arguments], input=data, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def rendered(form: str) -> str:
    return RENDERERS[form].render(CONFIGURATION, CONTEXT)


def told() -> set[str]:
    """Names of all samples."""
    text = "".join(exposition(facts(), openmetrics=False))
    return set(re.findall(r"^(wsgigroups_\w+)", text, re.MULTILINE))


@pytest.mark.needs("promtool")
def test_it_has_nothing_against_the_metrics() -> None:
    assert checked("check", "metrics", data="".join(exposition(facts(), openmetrics=False))) == ""


@pytest.mark.needs("promtool")
def test_it_takes_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(rendered("alerts"))
    assert "14 rules found" in checked("check", "rules", str(path))


CASES = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'wsgigroups_build_info{instance="m"}', values: '1x60'}
  - {series: 'wsgigroups_processes_wanted{instance="m",group="blog"}', values: '2x60'}
  - {series: 'wsgigroups_processes_ready{instance="m",group="blog"}', values: '2x9 0x50'}
  - {series: 'wsgigroups_rollout_active{instance="m",group="blog"}', values: '0x60'}
  - {series: 'wsgigroups_restarts_total{instance="m",group="blog"}', values: '0x30 5x30'}
  - {series: 'wsgigroups_requests_total{instance="m",group="blog",status="2xx"}', values: '0+600x60'}
  - {series: 'wsgigroups_requests_total{instance="m",group="blog",status="5xx"}', values: '0x20 0+60x40'}
  alert_rule_test:
  - {eval_time: 9m, alertname: WsgigroupsGroupDown}
  - eval_time: 12m
    alertname: WsgigroupsGroupDown
    exp_alerts:
    - exp_labels: {instance: m, group: blog, severity: critical}
      exp_annotations:
        summary: group blog has no process that is ready
        action: wsgigroups why blog
  - {eval_time: 15m, alertname: WsgigroupsErrors}
  - eval_time: 40m
    alertname: WsgigroupsErrors
    exp_alerts:
    - exp_labels: {instance: m, group: blog, severity: warning}
      exp_annotations:
        summary: 9.091% of the answers of group blog have a status of 5xx
        action: wsgigroups logs blog
  - eval_time: 35m
    alertname: WsgigroupsRestarting
    exp_alerts:
    - exp_labels: {instance: m, group: blog, severity: warning}
      exp_annotations:
        summary: processes of group blog end without having been asked to
        action: wsgigroups why blog
  - eval_time: 20m
    alertname: WsgigroupsGroupsMissing
    exp_alerts:
    - exp_labels: {instance: m, severity: warning}
      exp_annotations:
        summary: 1 groups are there, and the configuration has 2
        action: wsgigroups plan
"""


@pytest.mark.needs("promtool")
def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rendered("alerts"))
    (tmp_path / "cases.yml").write_text(CASES)
    checked("test", "rules", str(tmp_path / "cases.yml"))


@pytest.mark.parametrize("form", ["alerts", "dashboard"])
def test_what_is_asked_for_is_told(form: str) -> None:
    asked = set(re.findall(r"wsgigroups_[a-z_]+", rendered(form)))
    assert len(asked) > 10
    assert asked <= told()


def test_the_dashboard_is_whole() -> None:
    model = json.loads(rendered("dashboard"))
    panels = model["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert [variable["name"] for variable in model["templating"]["list"]] == ["datasource", "group"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all(text.count("{") == text.count("}") and text.count("(") == text.count(")") for text in expressions)
