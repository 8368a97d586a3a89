"""All cases, in the order of the page; `PARTS` has them under the headings that they stand below."""

from __future__ import annotations

from support.conformance.case import Case
from support.conformance.cases import answers, configuration, loading, processes, requests, timeouts, windows

PARTS: dict[str, tuple[Case, ...]] = {
    "What an application is given": requests.CASES,
    "What becomes of its answer": answers.CASES,
    "The process": processes.CASES,
    "Timeouts and limits": timeouts.CASES,
    "Windows and recycling": windows.CASES,
    "Loading and new code": loading.CASES,
    "The configuration": configuration.CASES,
}
CASES = tuple(case for part in PARTS.values() for case in part)
