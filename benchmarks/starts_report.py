"""The section of RESULTS.md on single starts: beside an earlier commit, and why what is worse is worse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

WORSE = 1.2
SAFER = (
    "the child waits for its specification until it is in a cgroup of its own, which the kernel takes milliseconds for"
)
PER_USER = "a spawner of the user's own shares no memory with those of other users"
CONFINED = "mounts, Landlock and the filter of system calls are set up for each process"


def section(figures: dict[str, Any]) -> Iterable[str]:
    """Yield what one process more costs."""
    earlier = figures["earlier"]
    yield "## Starting one process more"
    yield ""
    yield (
        f"From the request on the control socket until the process is ready, median of {figures['starts']}; PSS of a "
        f"daemon, median. Before is commit {earlier['commit']}, which had neither spawners of users nor confinement: "
        f"{earlier['ready_ms']:.1f} ms, {earlier['pss_mib']:.2f} MiB, measured on {earlier['measured']} in the same "
        f"way while others used {earlier['other_load_percent']:.0f} % of the machine."
    )
    yield ""
    yield "| spawners | confined | ready | ÷ before | PSS | ÷ before | where it is more than a fifth worse |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for kind in figures["kinds"]:
        times = [kind[key] / earlier[key] for key in ("ready_ms", "pss_mib")]
        cells = [
            kind["spawners"],
            "yes" if kind["confined"] else "no",
            *(f"{kind['ready_ms']:.1f} ms", f"{times[0]:.2f}"),
            *(f"{kind['pss_mib']:.2f} MiB", f"{times[1]:.2f}"),
            reason(kind, *times),
        ]
        yield f"| {' | '.join(cells)} |"


def reason(kind: dict[str, Any], slower: float, larger: float) -> str:
    """Return why a kind is more than a fifth worse than before; nothing where it is not."""
    found = []
    if slower > WORSE:
        found += [SAFER, *([CONFINED] if kind["confined"] else [])]
    if larger > WORSE:
        found += [PER_USER] if kind["spawners"] == "per-user" else []
        found += ["a process has more of the runtime's modules in use than before"]
        found += [CONFINED] if kind["confined"] and CONFINED not in found else []
    return "; ".join(found)
