"""What a cluster cannot do, or has to be told: each with its code and its place in the file."""

from __future__ import annotations

import pytest
from support.clusters import CLUSTER, SHOP, given, loaded
from support.configurations import codes, messages

from wsgigroups.config import Severity, load
from wsgigroups.config.codes import CODES

SITE = (
    SHOP
    + """\
trusted-proxies = ["10.0.0.0/8"]
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
process-group = "shop"
mounts = [{path = "/"}]
"""
)
NO_GATEWAY = SITE.replace('gateway = "infrastructure/public"\n', "")


def test_what_a_cluster_can_do_is_not_spoken_of() -> None:
    assert codes(loaded(SHOP)) == []
    assert codes(loaded(SITE)) == []
    assert codes(loaded(NO_GATEWAY, ingress=True)) == []


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        (SHOP.replace("image =", "# image ="), "WG0701", "groups.shop", "no image"),
        (SHOP + 'kubernetes.autoscale = "hpa"\n', "WG0701", "groups.shop.kubernetes.autoscale", "most number of pods"),
        (
            SHOP.replace("prometheus =", 'autoscale = "keda"\nreplicas-max = 3\n# prometheus ='),
            "WG0701", "kubernetes.autoscale", "KEDA asks Prometheus",
        ),
        (NO_GATEWAY, "WG0701", 'sites."www.example.org"', "no Gateway is named"),
        (
            SHOP + 'kubernetes = { autoscale = "hpa", replicas = 5, replicas-max = 4 }\n',
            "WG0702", "groups.shop.kubernetes.autoscale", "at least 5 pods and at most 4",
        ),
        (SHOP + 'chroot = "/srv/jail"\n', "WG0702", "groups.shop.chroot", "no chroot"),
        (SHOP + "processes-min = 0\n", "WG0702", "groups.shop.processes-min", "sleeps"),
        (SHOP + "shutdown-timeout = 0\n", "WG0702", "groups.shop.shutdown-timeout", "grace period"),
        (SHOP + 'user = "joe"\n', "WG0702", "groups.shop.user", '"joe" is the name of a user'),
        (
            SHOP.replace("[groups", '[server]\nuser = "joe"\n[groups'), "WG0702", "server.user", "only knows numbers",
        ),
        (SHOP.replace("127.0.0.1:8000", "unix:/run/x.sock"), "WG0702", "groups.shop.listen[0]", "UNIX socket"),
        (
            SITE.replace('"/"}', '"/"}, {path = "/a", app = "a:b"}')
            + '[sites."b.example.org"]\nlisten = ["0.0.0.0:80"]\nprocess-group = "shop"\n'
            + 'mounts = [{path = "/"}, {path = "/a", app = "b:b"}]\n',
            "WG0702", 'sites."b.example.org".mounts[1]', "does not look at the host",
        ),
        (SITE.replace("127.0.0.1:8000", "unix:/run/x.sock"), "WG0703", "groups.shop.listen[0]", "UNIX socket"),
        (
            SHOP.replace('"127.0.0.1:8000"', '"127.0.0.1:8000", "127.0.0.1:8001"'),
            "WG0703", "groups.shop.listen[1]", "one address",
        ),
        (SHOP + 'group = "web"\n', "WG0703", "groups.shop.group", "root"),
        (SHOP + 'memory-max = "1G"\n', "WG0703", "groups.shop.memory-max", "cgroup"),
        (SHOP + "private-tmp = true\n", "WG0703", "groups.shop.private-tmp", "mounts"),
        (SHOP + "cpu-priority = -5\n", "WG0703", "groups.shop.cpu-priority", "root"),
        (SHOP + 'error-log = "/var/log/x"\n', "WG0703", "groups.shop.error-log", "standard output"),
        (SHOP.replace("processes = 2", 'processes = "auto"'), "WG0703", "groups.shop.processes", "of the node"),
        (
            SHOP + 'processes-max = 4\nkubernetes = { autoscale = "hpa", replicas-max = 4 }\n',
            "WG0703", "groups.shop.processes-max", "each without the other",
        ),
        (
            SITE + 'static = [{path = "/static", directory = "/srv/static"}]\n',
            "WG0703", 'sites."www.example.org".static[0]', "nobody answers for the files below /static",
        ),
        (SITE + 'hsts = "1d"\n', "WG0703", 'sites."www.example.org".hsts', "TLS ends"),
        (SITE + 'access-log = "/var/log/a"\n', "WG0703", 'sites."www.example.org".access-log', "has its own"),
        (SHOP.replace("memory-limit =", "# memory-limit ="), "WG0704", "groups.shop", "no limit"),
        (
            SHOP + 'request-timeout = "30s"\n', "WG0705", "groups.shop.shutdown-timeout",
            "may take 30s, and one that runs when a pod leaves has 5s",
        ),
        (SITE.replace("trusted-proxies", "# proxies"), "WG0706", 'sites."www.example.org"', "believes no proxy"),
    ],
)  # fmt: skip
def test_what_is_said_and_where(text: str, code: str, place: str, words: str) -> None:
    result = loaded(text)
    found = [item for item in result.diagnostics if item.code.startswith("WG07")]
    assert [(item.code, item.option) for item in found] == [(code, place)], messages(result)
    assert words in found[0].message
    assert found[0].span is not None
    assert (result.configuration is None) == (CODES[code].severity is Severity.ERROR)


def test_an_ingress_cannot_redirect() -> None:
    text = SITE + "redirect-to-https = true\n"
    assert codes(loaded(text)) == []
    assert codes(loaded(text, ingress=True)) == ["WG0703"]


def test_other_groups_do_not_matter_where_one_is_asked_for() -> None:
    text = SHOP + '[groups.old]\napp = "a:b"\nlisten = ["127.0.0.1:9000"]\nchroot = "/srv/jail"\n'
    assert "WG0702" in codes(loaded(text))
    assert codes(loaded(text, names=("shop",))) == ["WG0502"]


def test_on_a_machine_nothing_of_it_is_said() -> None:
    text = SHOP.replace("image =", "# image =") + 'request-timeout = "30s"\nuser = "joe"\n'
    assert codes(load([given(text)], variables={})) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('namespace = "Web"', "WG0325"),
        ('namespace = "-web"', "WG0325"),
        ('gateway = "a/b/c"', "WG0325"),
        ('gateway = "/b"', "WG0325"),
        ('ingress-class = "a_b"', "WG0325"),
        ('cpu = "0"', "WG0325"),
        ('cpu = "0.0"', "WG0325"),
        ("cpu = 0", "WG0325"),
        ('cpu = "half"', "WG0325"),
        ("cpu = true", "WG0325"),
        ('image = "two words"', "WG0325"),
        ("replicas = 0", "WG0302"),
        ("run-as-user = 0", "WG0302"),
        ('autoscale = "yes"', "WG0305"),
        ("volumes = {}", "WG0201"),  # of a group alone
        ('prometheus = "prometheus:9090"', "WG0323"),
    ],
)
def test_values_that_no_cluster_would_take(line: str, code: str) -> None:
    text = CLUSTER.replace("[kubernetes]", f"[kubernetes]\n{line}")
    name = line.split(" ", maxsplit=1)[0]
    text = "\n".join(x for x in text.splitlines() if x == line or not x.startswith(f"{name} "))
    result = load([given(f'{text}\n[groups.a]\napp = "a:b"\nlisten = ["[::1]:1"]\n')], variables={})
    assert codes(result) == [code]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('kubernetes.volumes = { "A" = "/srv" }', "WG0325"),
        ('kubernetes.volumes = ["/srv"]', "WG0301"),
        ('kubernetes.environment-secrets = ["a", "a"]', "WG0319"),
        ('kubernetes.namespace = "web"', "WG0201"),  # of the cluster alone
    ],
)
def test_values_of_a_group_that_no_cluster_would_take(line: str, code: str) -> None:
    assert codes(load([given(f"{SHOP}{line}\n")], variables={})) == [code]
