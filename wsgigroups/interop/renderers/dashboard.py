"""`render dashboard`: a dashboard for Grafana, of all groups or of those that are chosen in it. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext

_SCHEMA_VERSION = 39  # of Grafana 11; later ones read it, too
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_OF = '{group=~"$group"}'
_ERRORS_OF = '{group=~"$group",status="5xx"}'
_WIDTH, _HEIGHT = 8, 8  # a row has 24 columns


def _rate(name: str, by: str = "group", of: str = _OF) -> str:
    return f"sum by ({by}) (rate(wsgigroups_{name}{of}[$__rate_interval]))"


def _quantile(share: float, phase: str) -> tuple[str, str]:
    inner = f"sum by (group, le) (rate(wsgigroups_{phase}_seconds_bucket{_OF}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inner})", f"{{{{group}}}} p{share * 100:g}"


# title, unit of Grafana, what is said of it, and expressions with their legends
PANELS: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Processes ready, and wanted", "none", "Fewer than wanted: `wsgigroups why GROUP`",
        (
            (f"wsgigroups_processes_ready{_OF}", "{{group}} ready"),
            (f"wsgigroups_processes_wanted{_OF}", "{{group}} wanted"),
        ),
    ),
    (
        "Answers", "reqps", "By the class of their status",
        ((_rate("requests_total", "group, status"), "{{group}} {{status}}"),),
    ),
    (
        "Share of 5xx", "percentunit", "Of all answers",
        (
            (
                f"{_rate('requests_total', of=_ERRORS_OF)} / {_rate('requests_total')}",
                "{{group}}",
            ),
        ),
    ),
    (
        "Time in the application", "s", "From the call to the end of the answer",
        tuple(_quantile(share, "application") for share in (0.5, 0.95, 0.99)),
    ),
    ("Time in the queue", "s", "Until a thread was free", tuple(_quantile(share, "queue") for share in (0.5, 0.95))),
    (
        "Waiting for clients", "s", "Of answers that did not leave at once",
        (_quantile(0.95, "send"),),
    ),
    (
        "Requests now", "none", "In the application, and waiting for a thread",
        (
            (f"wsgigroups_requests_active{_OF}", "{{group}} active"),
            (f"wsgigroups_requests_queued{_OF}", "{{group}} queued"),
        ),
    ),
    ("Utilisation of threads", "percentunit", "", ((f"wsgigroups_utilisation_ratio{_OF}", "{{group}}"),)),
    (
        "Threads wait for each other", "s", "How late a thread runs that was to wake: what the GIL costs",
        ((f'{_rate("late_seconds_total")} / {_rate("wakes_total")}', "{{group}}"),),
    ),
    ("Processor", "none", "Processors in use", ((_rate("cpu_seconds_total"), "{{group}}"),)),
    (
        "Memory", "bytes", "What processes share is divided among them",
        ((f"wsgigroups_proportional_memory_bytes{_OF}", "{{group}}"),),
    ),
    (
        "Ends of processes", "none", "By cause, in an hour",
        ((f"sum by (group, cause) (increase(wsgigroups_ends_total{_OF}[1h]))", "{{group}} {{cause}}"),),
    ),
    (
        "Received and sent", "Bps", "",
        (
            (_rate("received_bytes_total"), "{{group}} received"),
            (_rate("sent_bytes_total"), "{{group}} sent"),
        ),
    ),
    (
        "Turned away", "reqps", "For queue-timeout and connect-timeout",
        ((_rate("queue_timeouts_total"), "{{group}} 504"), (_rate("refused_total"), "{{group}} 503")),
    ),
    ("Certificates", "s", "Time that is left", (("wsgigroups_certificate_left_seconds", "{{file}}"),)),
)  # fmt: skip


def dashboard(_configuration: Configuration, _context: RenderContext) -> str:
    """Return the JSON model of a dashboard; data source and groups are chosen in it."""
    panels = [_panel(number, *panel) for number, panel in enumerate(PANELS)]
    model = {
        "title": "wsgigroups",
        "uid": "wsgigroups",
        "tags": ["wsgigroups"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_choice_of_source(), _choice_of_groups()]},
        "panels": panels,
    }
    return json.dumps(model, indent=2, ensure_ascii=False) + "\n"


def _panel(number: int, title: str, unit: str, about: str, queries: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    row, column = divmod(number, 24 // _WIDTH)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "description": about,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi", "sort": "desc"}, "legend": {"displayMode": "table", "calcs": ["max"]}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(queries)
        ],
    }


def _choice_of_source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _choice_of_groups() -> dict[str, Any]:
    query = "label_values(wsgigroups_processes_wanted, group)"
    return {
        "name": "group",
        "type": "query",
        "label": "Group",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "groups"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }
