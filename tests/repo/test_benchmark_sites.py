"""The part on sites: what contenders are told, and what its section says of the goals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.manager import APPS

from benchmarks import site_peers, sites, sites_report
from benchmarks.cases import ALONE
from benchmarks.measuring import Sample
from benchmarks.peers import Job
from benchmarks.serving import Ground
from benchmarks.trial import Trial
from tools.facts import daemon_account
from wsgigroups.config import load


def sample(case: str, peer: str, rate: float, p99_ms: float) -> dict[str, Any]:
    """Return what a load gave."""
    return Sample(ALONE.name, case, peer, 1, rate, 1.0, p99_ms, 0.5, 1.0, 30.0, 100).as_data()


def figures(ours: float, p99_ms: float = 2.0) -> dict[str, Any]:
    """Return figures with this rate of ours, beside 1,000 of nginx and 300 of Apache."""
    peers = (("wsgigroups", ours, p99_ms), ("nginx_uwsgi", 1000.0, 2.0), ("mod_wsgi", 300.0, 5.0))
    cases = [case.name for case in (*sites.PLAIN, *sites.OVER_TLS)]
    return {
        "rounds": 1,
        "seconds": 1.0,
        "titles": {peer.name: peer.title for peer in site_peers.PEERS},
        "absent": {},
        "samples": [sample(case, *peer) for case in cases for peer in peers],
        "idle_pss_mib": 10.0,
        "many": {"lookup_us": 2.0, "change_ms": 120.0, "apply_s": 5.0, "change_s": 2.0},
    }


def test_ratios_stand_beside_their_goals() -> None:
    text = "\n".join(sites_report.section(figures(1100.0)))
    assert text.count("| nginx + uWSGI | 1,000 | 1.10 (≥ 1) | reached | 50.0 µs | 2.00 ms | 1.00 | reached |") == 2
    assert text.count("| Apache + mod_wsgi daemon | 300 | 3.67 (≥ 3) | reached | 50.0 µs | 5.00 ms | 0.40 |  |") == 2
    assert "| PSS of an idle gateway | < 15 MiB | 10 MiB | reached |" in text
    assert "until it is live | < 100 ms | 120 ms | **not reached** |" in text
    assert "| 5 s | reached |" in text


def test_what_is_missed_is_said() -> None:
    text = "\n".join(sites_report.section(figures(899.0, 3.0)))
    assert text.count("| 0.90 (≥ 1) | **not reached** | 50.0 µs | 2.00 ms | 1.50 | **not reached** |") == 2
    assert text.count("| 3.00 (≥ 3) | **not reached** |") == 2


def test_what_failed_is_named() -> None:
    found = figures(1000.0)
    failed = Sample(ALONE.name, "sites", "mod_wsgi", 1, failure="it did not start").as_data()
    found["samples"] = [each for each in found["samples"] if each["peer"] != "mod_wsgi"] + [failed]
    found |= {"absent": {"mod_wsgi": "it is not installed"}, "idle_pss_mib": None}
    text = "\n".join(sites_report.section(found))
    assert "| Apache + mod_wsgi daemon | it did not start |" in text
    assert "Without Apache + mod_wsgi daemon: it is not installed." in text
    assert "| PSS of an idle gateway | < 15 MiB | not measured |" in text


@pytest.mark.needs("openssl")
def test_all_sites_are_read_although_one_file_has_no_room_for_them(tmp_path: Path) -> None:
    trial = Trial(Ground(Path(sys.prefix), APPS, daemon_account()), tmp_path)
    loaded = load([sites.write_configuration(trial, 1200, 8000, "other")], variables={}, trust=False)
    assert loaded.configuration, loaded.diagnostics
    groups = [site.process_group for site in loaded.configuration.sites.values()]
    assert len(groups) == 1200
    assert [number for number, group in enumerate(groups) if group == "other"] == [0, sites.CHANGED]


def test_contenders_are_told_of_both_sites(tmp_path: Path) -> None:
    """Each configuration is written, with both names."""
    account = daemon_account()
    job = Job("plain", ALONE, 8000, tmp_path, tmp_path, tmp_path, account)
    for peer in site_peers.PEERS:
        assert peer.commands(job)
    assert site_peers.tls_port(job) > 0
    texts = [(tmp_path / name).read_text() for name in ("groups.toml", "nginx.conf", "apache.conf")]
    for text in texts:
        assert all(text.count(name) for name in site_peers.NAMES)
    assert texts[2].count("WSGIScriptAlias / ") == 2
    told = subprocess.run(
        ["openssl", "x509", "-in", str(tmp_path / "site.crt"), "-noout", "-ext", "subjectAltName"],
        check=True, capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip
    assert "DNS:two.test" in told
