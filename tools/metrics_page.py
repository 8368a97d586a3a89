"""docs/metrics.md: every metric, from the table of metrics (wsgigroups/metrics/table.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.interop.renderers.alerts import RULES
from wsgigroups.metrics.table import (
    CERTIFICATE,
    OF_GROUP,
    OF_MANAGER,
    OF_PROCESS,
    PREFIX,
    Metric,
    MetricKind,
    of_histogram,
)
from wsgigroups.runtime.wire.histograms import HISTOGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = """\
# Metrics and health

```toml
[server]
health-listen = "127.0.0.1:9180"                      # /livez /readyz /readyz/GROUP /servingz /metrics /metrics/GROUP
metrics-listen = "unix:/run/wsgigroups-metrics.sock"  # /metrics and /metrics/GROUP alone
```

Without these options the manager listens at no place but its control socket, where `GET /metrics` answers the same:

```console
# curl --unix-socket /run/wsgigroups/control.sock http://localhost/metrics
```

The form is OpenMetrics 1.0 for who asks for it, as Prometheus does, and otherwise the older text format. The tables
below are made from `wsgigroups/metrics/table.py` by `make schemas`.

## Probes

Each answers 200 with `ok`, or 503 with the reasons, one a line.

| path | true as long as |
|---|---|
| `/livez` | the manager's loop turns, whatever groups do |
| `/readyz` | nothing is being stopped, and each group that should serve has a process that is ready |
| `/readyz/GROUP` | the same of one group; 404 where there is none of that name |
| `/servingz` | some process takes connections |

`/livez` says nothing of groups: a manager is not to be killed because an application fails. `/readyz` is false from the
first moment of a stop, and before what the manager was started with is under way. `/servingz` stays true for as long as
requests that come all the same are answered: stop sending when the one is false, and end when the other is, too.
`drain-delay` of `[server]` is the time between them ([how all of it ends](ending.md#all-of-it)).

One group of many that fails makes `/readyz` false. Where that is not what you want, as with many tenants behind one
load balancer, probe `/readyz/GROUP`.

## Who may connect

Whoever can: nobody is asked who he is. So both options take addresses of the loopback interface or a UNIX socket,
which every user of the machine may connect to, and other addresses only together with `health-public = true`
(WG0426), for containers. Put a UNIX socket into a directory of its own where only some users may read. A connection
gets one answer and stays for at most 20 s. 32 are open at a time; when all places are taken, who has been there
longest leaves, so that those who say nothing keep nobody out.

A change of these options is live. An apply that names an address which cannot be had is refused; a manager that starts
goes on without it and tries again. Both stay open over `wsgigroups upgrade`, with those who wait there. While no
manager runs, nobody answers; the next one opens them again.

## What it costs

A request that waits, runs and leaves in less than a millisecond each costs three comparisons; one that takes longer
is put into its range with one more addition. A scrape reads each board and `/proc` once, in slices, so that the
manager's deadlines never wait for it, and whoever asks within the same second gets the same text. Proportional
memory takes the kernel a millisecond for each process: it is read a little at a time, for at most 10 ms a second,
and only while somebody scrapes. With 1,000 groups of a process each, all of them real, a scrape takes 128 ms (median of
ten; 119 to 291 ms) and has 4.6 MB; measured on two cores that did nothing else.
Everything that observes, switched on together, costs 2 to 4 % of the rate (`benchmarks/RESULTS.md`; the
goal of 3 % is missed in one of three cases). Nearly all of it is the id in each answer, 0.5 µs:
to have less, the accelerator would have to write its line.

## Counters

Counters of a group have what all its processes have counted, those that have ended, too, over deaths of processes
and of the manager and over upgrades. They begin at 0 when the group is removed and added again. Counters of one
process begin at 0 with its `life`, which is a label of theirs: a slot that is filled again is another series.

Everything that a daemon counts is that tenant's own word: whatever it writes there becomes a number of its own
group, and of no other.
"""

_LATE = """
`late_seconds` / `wakes` is how late the monitor thread of a process ran on average when it was to wake after 5 ms,
while requests ran: what threads of that process wait for each other (the GIL), or for a processor. About a millisecond
is nothing to worry about; from about 5 ms on, the interpreter's own switch interval, more processes with fewer threads
each are the better choice.
"""

_APPLICATIONS = """
## Metrics of applications

`application-metrics = true` in a group gives its processes `PROMETHEUS_MULTIPROC_DIR`, a directory that the manager
makes, owns and clears. What they count with
[prometheus_client](https://prometheus.github.io/client_python/multiprocess/) is added up over all of them at
`/metrics/GROUP`, in the text format, under the names that the application gives: by itself, so that no application
can tell anything in the name of another group.

```yaml
scrape_configs:
- job_name: wsgigroups
  static_configs: [{targets: ["127.0.0.1:9180"]}]
- job_name: blog
  metrics_path: /metrics/blog
  static_configs: [{targets: ["127.0.0.1:9180"], labels: {group: blog}}]
```

What processes have counted that have ended is folded in within ten seconds, and their files removed: counters,
histograms, summaries and the gauges `min`, `max`, `sum` and `mostrecent`. Gauges of the mode `all` and of those with
`live` end with their process. This survives the manager. An application neither sets the variable, nor calls
`mark_process_dead`, nor has to clean up. At most 10,000 series, 512 files and 1 MiB of each are read.

## Rules and a dashboard

`wsgigroups render alerts groups.toml` prints rules for Prometheus, `wsgigroups render dashboard groups.toml` a
dashboard to be imported in Grafana.

| alert | severity | when |
|---|---|---|
"""


def make_markdown() -> str:
    """Return the text of the page."""
    groups = [*(metric for metric, _read in OF_GROUP), *map(of_histogram, HISTOGRAMS)]
    ranges = ((PREFIX + of_histogram(h).name, *(f"{bound / 1e9:g}" for bound in h.bounds_ns)) for h in HISTOGRAMS)
    parts = [
        _HEAD,
        _table("Of a group, label `group`", groups),
        "\nRanges of the histograms, in seconds:\n\n| metric | up to |\n|---|---|\n",
        "".join(f"| `{name}` | {', '.join(bounds)} |\n" for name, *bounds in ranges),
        _LATE,
        _table("Of a process, labels `group`, `slot`, `life`", (metric for metric, _read in OF_PROCESS)),
        _table("Of the manager", (*(metric for metric, _read in OF_MANAGER), CERTIFICATE)),
        _APPLICATIONS,
        "".join(f"| `{rule.name}` | {rule.severity} | `{rule.expression}` for {rule.lasting} |\n" for rule in RULES),
        "| `WsgigroupsGroupsMissing` | warning | there are fewer groups than the file has, for 5m |\n",
    ]
    return "".join(parts)


def _table(title: str, metrics: Iterable[Metric]) -> str:
    rows = "".join(_row(metric) for metric in metrics)
    return f"\n## {title}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n{rows}"


def _row(metric: Metric) -> str:
    suffix = {MetricKind.COUNTER: "_total", MetricKind.INFO: "_info"}.get(metric.kind, "")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{PREFIX}{metric.name}{suffix}` | {metric.kind.value} | {labels} | {metric.meaning} |\n"
