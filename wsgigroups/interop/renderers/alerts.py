"""`render alerts`: rules for Prometheus, each with what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule. lasting: how long the expression must hold; texts may use what a template of Prometheus may."""

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    action: str


def _quantile(share: str, phase: str) -> str:
    return f"histogram_quantile({share}, sum by (instance, group, le) (rate(wsgigroups_{phase}_seconds_bucket[5m])))"


_ANSWERS = "sum by (instance, group) (rate(wsgigroups_requests_total[5m]))"
_ERRORS = 'sum by (instance, group) (rate(wsgigroups_requests_total{status="5xx"}[5m]))'
RULES: tuple[AlertRule, ...] = (
    AlertRule(
        "WsgigroupsAbsent",
        "absent(wsgigroups_build_info)",
        "2m",
        "critical",
        "no manager of wsgigroups answers scrapes",
        "see whether it runs: wsgigroups status",
    ),
    AlertRule(
        "WsgigroupsGroupDown",
        "wsgigroups_processes_wanted > 0 and wsgigroups_processes_ready == 0",
        "1m",
        "critical",
        "group {{ $labels.group }} has no process that is ready",
        "wsgigroups why {{ $labels.group }}",
    ),
    AlertRule(
        "WsgigroupsGroupDegraded",
        "(wsgigroups_processes_ready < wsgigroups_processes_wanted) and wsgigroups_rollout_active == 0",
        "5m",
        "warning",
        "group {{ $labels.group }} has {{ $value }} processes ready, fewer than it should",
        "wsgigroups why {{ $labels.group }}",
    ),
    AlertRule(
        "WsgigroupsRestarting",
        "increase(wsgigroups_restarts_total[15m]) > 3",
        "0m",
        "warning",
        "processes of group {{ $labels.group }} end without having been asked to",
        "wsgigroups why {{ $labels.group }}",
    ),
    AlertRule(
        "WsgigroupsErrors",
        f"{_ERRORS} / {_ANSWERS} > 0.05 and {_ANSWERS} > 0.2",
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the answers of group {{ $labels.group }} have a status of 5xx",
        "wsgigroups logs {{ $labels.group }}",
    ),
    AlertRule(
        "WsgigroupsSlow",
        f"{_quantile('0.99', 'application')} > 2.5",
        "10m",
        "warning",
        "one in a hundred requests of group {{ $labels.group }} takes {{ $value | humanizeDuration }} or more",
        "look at what the application waits for",
    ),
    AlertRule(
        "WsgigroupsQueueing",
        f"{_quantile('0.95', 'queue')} > 0.5",
        "5m",
        "warning",
        "requests of group {{ $labels.group }} wait {{ $value | humanizeDuration }} for a thread",
        "more threads where they wait for others, more processes where they compute",
    ),
    AlertRule(
        "WsgigroupsTurnedAway",
        "increase(wsgigroups_queue_timeouts_total[5m]) + increase(wsgigroups_refused_total[5m]) > 0",
        "0m",
        "warning",
        "group {{ $labels.group }} turns requests away, for queue-timeout or connect-timeout",
        "more threads or processes, or a longer time",
    ),
    AlertRule(
        "WsgigroupsBusy",
        "wsgigroups_utilisation_ratio > 0.9",
        "10m",
        "warning",
        "the threads of group {{ $labels.group }} are busy {{ $value | humanizePercentage }} of the time",
        "more threads where they wait for others, more processes where they compute",
    ),
    AlertRule(
        "WsgigroupsThreadsContend",
        "rate(wsgigroups_late_seconds_total[5m]) / rate(wsgigroups_wakes_total[5m]) > 0.025",
        "10m",
        "info",
        "threads of group {{ $labels.group }} wait {{ $value | humanizeDuration }} for each other, or for a processor",
        "more processes with fewer threads each",
    ),
    AlertRule(
        "WsgigroupsRolloutStuck",
        "wsgigroups_rollout_active == 1",
        "30m",
        "warning",
        "processes of group {{ $labels.group }} are being replaced for half an hour",
        "wsgigroups status {{ $labels.group }}",
    ),
    AlertRule(
        "WsgigroupsCertificateEnds",
        "wsgigroups_certificate_left_seconds < 14 * 86400",
        "1h",
        "warning",
        "the certificate {{ $labels.file }} ends in {{ $value | humanizeDuration }}",
        "renew it; it is taken into use by itself",
    ),
    AlertRule(
        "WsgigroupsCertificateEndsSoon",
        "wsgigroups_certificate_left_seconds < 3 * 86400",
        "10m",
        "critical",
        "the certificate {{ $labels.file }} ends in {{ $value | humanizeDuration }}",
        "renew it; it is taken into use by itself",
    ),
)


def alerts(configuration: Configuration, _context: RenderContext) -> str:
    """Return a file of rules; one of them knows how many groups there should be."""
    count = len(configuration.all_groups())
    missing = AlertRule(
        "WsgigroupsGroupsMissing",
        f'count by (instance) (wsgigroups_processes_wanted{{group!="@gateway"}}) < {count}',
        "5m",
        "warning",
        f"{{{{ $value }}}} groups are there, and the configuration has {count}",
        "wsgigroups plan",
    )
    rules = (*RULES, missing) if count else RULES
    return "groups:\n- name: wsgigroups\n  rules:\n" + "".join(_text(rule) for rule in rules)


def _text(rule: AlertRule) -> str:
    return (
        f"  - alert: {rule.name}\n"
        f"    expr: {_quoted(rule.expression)}\n"
        f"    for: {rule.lasting}\n"
        f"    labels:\n      severity: {rule.severity}\n"
        f"    annotations:\n      summary: {_quoted(rule.summary)}\n      action: {_quoted(rule.action)}\n"
    )


def _quoted(text: str) -> str:
    """Return text between single quotation marks, in which YAML knows no escapes but one."""
    return "'" + text.replace("'", "''") + "'"
