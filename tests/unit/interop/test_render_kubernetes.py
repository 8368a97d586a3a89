"""`render kubernetes`: what each object says, by tables and values."""

from __future__ import annotations

from typing import Any

import pytest
from support.clusters import CLUSTER, SHOP, base, container, objects, parsed
from support.configurations import messages

from wsgigroups.config import Configuration, load
from wsgigroups.config.files import GivenText
from wsgigroups.interop.renderers.kubernetes import ClusterRequest, KubernetesVersion
from wsgigroups.interop.renderers.kubernetes.names import LONGEST_NAME, object_name
from wsgigroups.interop.renderers.kubernetes.yaml_text import yaml_text

SITE = (
    SHOP
    + """\
trusted-proxies = ["10.0.0.0/8"]
[groups.api]
script = "/srv/api/api.wsgi"
trusted-proxies = ["10.0.0.0/8"]
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
aliases = ["*.example.org"]
process-group = "shop"
mounts = [{path = "/"}, {path = "/api", process-group = "api"}, {path = "/admin", app = "shop.admin:app"}]
"""
)


def pod(text: str, name: str = "shop", request: ClusterRequest | None = None) -> Any:
    return objects(text, request)[f"{name}-deployment"]["spec"]["template"]["spec"]


def test_there_is_a_file_for_each_object_and_one_that_lists_them() -> None:
    found = objects(SHOP)
    assert {name: item["kind"] for name, item in found.items() if "kind" in item} == {
        "kustomization": "Kustomization",
        "shop-deployment": "Deployment",
        "shop-service": "Service",
        "shop-network-policy": "NetworkPolicy",
        "shop-pod-monitor": "PodMonitor",
        "shop-disruption-budget": "PodDisruptionBudget",
    }
    assert found["kustomization"]["resources"] == [
        f"shop-{name}.yaml" for name in ("deployment", "service", "network-policy", "pod-monitor", "disruption-budget")
    ]
    (generated,) = found["kustomization"]["configMapGenerator"]
    assert (generated["name"], generated["files"]) == ("shop-groups", ["groups.yaml=shop-groups.yaml"])
    assert all(text.startswith("# Made by `wsgigroups render kubernetes`") for text in base(SHOP).values())


def test_the_deployment() -> None:
    found = objects(SHOP)
    spec = found["shop-deployment"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert spec["template"]["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
    of_pod = spec["template"]["spec"]
    (spread,) = of_pod["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert (of_pod["automountServiceAccountToken"], of_pod["enableServiceLinks"]) == (False, False)
    assert of_pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    only = container(found)
    waits = ["env", "--block-signal=TERM"]  # a stop in the first moment is not lost
    assert (only["image"], only["command"]) == ("registry.example.org/shop:1.4", [*waits, "wsgigroups"])
    alpine = SHOP.replace("registry.example.org/shop:1.4", "registry.example.org/shop:1.4-alpine")
    assert container(objects(alpine))["command"] == ["wsgigroups"]  # its env has no such word
    assert only["args"] == ["run", "--group", "shop", "/etc/wsgigroups/groups.yaml"]
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert "lifecycle" not in only  # the manager itself waits for proxies to hear of it


def test_directories_that_are_written_are_in_volumes() -> None:
    of_pod, only = pod(SHOP), container(objects(SHOP))
    mounted = {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in of_pod["volumes"]}
    assert set(mounted.values()) == set(volumes)
    for variable in only["env"]:
        assert variable["value"].startswith("/run/wsgigroups/")  # an emptyDir itself is everybody's
    assert volumes[mounted["/run/wsgigroups"]]["emptyDir"]["medium"] == "Memory"
    assert volumes[mounted["/tmp"]] == {"name": "tmp", "emptyDir": {}}
    assert volumes[mounted["/etc/wsgigroups/groups.yaml"]]["configMap"] == {"name": "shop-groups"}


@pytest.mark.parametrize(
    ("options", "grace", "failures"),
    [
        ("", 18, 150),  # 10 s to be left, 5 s for requests, 1 s to exit, 2 s to spare
        ('shutdown-timeout = "20s"', 33, 150),
        ('shutdown-timeout = "1500ms"', 15, 150),
        ('startup-timeout = "31s"', 18, 16),
    ],
)
def test_the_times_of_a_pod(options: str, grace: int, failures: int) -> None:
    found = objects(f"{SHOP}{options}\n")
    assert found["shop-deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == grace
    only = container(found)
    assert only["startupProbe"]["failureThreshold"] == failures
    assert only["startupProbe"]["periodSeconds"] == 2
    asked = {name: only[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: get["path"] for name, get in asked.items()} == {
        "startup": "/servingz",
        "readiness": "/servingz",  # not /readyz: a pod that leaves still serves who comes
        "liveness": "/livez",  # the manager alone: requests that wait are no reason to kill it
    }
    assert {get["port"] for get in asked.values()} == {"health"}


MIB = 2**20


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ('processes = 2\nmemory-limit = "200M"', "724Mi"),  # 64 + (2 + 1) × 200 × 1.1
        ('processes = 8\nmemory-limit = "100M"', "1164Mi"),  # 64 + (8 + 2) × 100 × 1.1
        ('memory-limit = "100M"', "284Mi"),  # one process
        ('preload = "app"\nmemory-limit = "100M"', "394Mi"),  # 64 + (1 + 1 + the mold) × 100 × 1.1
        ('processes = 2\nprocesses-max = 4\nmemory-limit = "100M"', "614Mi"),  # 64 + (4 + 1) × 100 × 1.1
        ('processes = 4\nmemory-limit = "100M"\nrollout.max-surge = 3', "834Mi"),  # 64 + (4 + 3) × 100 × 1.1
    ],
)
def test_the_memory_of_a_pod_is_above_what_its_processes_may_have(options: str, limit: str) -> None:
    text = f'{CLUSTER}[groups.shop]\napp = "shop:app"\nlisten = ["0.0.0.0:8000"]\n{options}\n'
    resources = container(objects(text))["resources"]
    assert resources == {"requests": {"memory": limit}, "limits": {"memory": limit}}


def test_processors_are_asked_for_and_not_limited() -> None:
    resources = container(objects(f"{SHOP}kubernetes.cpu = 0.5\n"))["resources"]
    assert resources["requests"]["cpu"] == "0.5"
    assert "cpu" not in resources["limits"]
    without = SHOP.replace('memory-limit = "200M"\n', "")
    assert container(objects(without))["resources"] == {}


@pytest.mark.parametrize(
    ("cluster", "group", "user"),
    [
        ("", "", 10001),
        ("", 'user = "#1500"\n', 1500),
        ("run-as-user = 1200\n", 'user = "#1500"\n', 1200),
        ("run-as-user = 1200\n", "kubernetes.run-as-user = 1300\n", 1300),
        ("run-as-user = 1200\n", 'user = "joe"\n', 1200),
    ],
)
def test_the_user_is_a_number(cluster: str, group: str, user: int) -> None:
    text = SHOP.replace("[groups.shop]\n", f"{cluster}[groups.shop]\n{group}")
    context = pod(text)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (user, user)
    assert "user" not in objects(text)["shop-groups"]["groups"]["shop"]


def test_the_file_of_the_pod() -> None:
    text = SHOP.replace(
        "[groups.shop]", '[server]\nuser = "#7"\nerror-log = "/var/log/x"\ntimeout = "30s"\n[groups.shop]'
    )
    found = objects(text + 'error-log = "/var/log/y"\nsocket-user = "www"\nrollout.max-surge = 1\n')["shop-groups"]
    server = found["server"]
    assert server["error-log"] == "/dev/stdout"
    assert (server["health-listen"], server["health-public"]) == ("0.0.0.0:9180", True)
    assert (server["timeout"], "user" in server) == ("30s", False)
    assert found["groups"] == {
        "shop": {
            "app": "shop.wsgi:application",
            "listen": ["0.0.0.0:8000"],
            "processes": 2,
            "threads": 10,
            "memory-limit": "200M",
            "rollout": {"max-surge": 1},
        }
    }


def test_each_pod_has_its_group_and_the_mounts_that_lead_to_it() -> None:
    found = objects(SITE)
    assert list(found["api-groups"]["groups"]) == ["api"]
    site = found["shop-groups"]["sites"]["www.example.org"]
    assert site == {
        "mounts": [
            {"path": "/", "process-group": "shop"},
            {"path": "/admin", "app": "shop.admin:app", "process-group": "shop"},
        ]
    }
    assert found["api-groups"]["groups"]["api"]["listen"] == ["0.0.0.0:8000"]
    for name in ("api-groups", "shop-groups"):  # what a pod is given can be read there
        configuration = Configuration.from_document(found[name])
        assert all(not site.listen for site in configuration.sites.values())
        said = load([GivenText(name, base(SITE)[f"{name}.yaml"])], strict=True, variables={})
        assert not said.diagnostics, messages(said)  # a pod would log it at each start


def test_variables_and_secrets_stay_where_they_are() -> None:
    text = (
        SHOP
        + """\
environment = { KEY = "${SECRET}", URL = "${URL:-http://x}", TEXT = "$${SECRET}" }
environment-files = ["/etc/a/shop.env", "/etc/b/shop.env"]
kubernetes.environment-secrets = ["shop-database"]
kubernetes.volumes = { media = "/srv/media" }
"""
    )
    assert not any("from-here" in content for content in base(text).values())
    group = objects(text)["shop-groups"]["groups"]["shop"]
    assert group["environment"] == {"KEY": "${SECRET}", "URL": "${URL:-http://x}", "TEXT": "$${SECRET}"}
    files = ["/etc/wsgigroups/environment/shop.env", "/etc/wsgigroups/environment/1-shop.env"]
    assert group["environment-files"] == files
    only = container(objects(text))
    assert only["envFrom"] == [{"secretRef": {"name": "shop-database"}}]
    mounts = {mount["mountPath"]: mount for mount in only["volumeMounts"]}
    assert [mounts[path]["subPath"] for path in files] == ["shop.env", "1-shop.env"]
    volumes = {volume["name"]: volume for volume in pod(text)["volumes"]}
    assert volumes["environment"]["secret"] == {"secretName": "shop-environment"}
    assert volumes[mounts["/srv/media"]["name"]]["persistentVolumeClaim"] == {"claimName": "media"}
    assert pod(text)["securityContext"]["fsGroup"] == 10001


def test_paths_beside_the_file_are_moved_into_the_image() -> None:
    text = SHOP.replace(
        "[groups.shop]", 'directory = "/app"\n[groups.shop]\npython-path = ["/h/p/src", "/h/pq"]\nhome = "/h/p"'
    )
    group = objects(text, ClusterRequest(below="/h/p"))["shop-groups"]["groups"]["shop"]
    assert (group["python-path"], group["home"]) == (["/app/src", "/h/pq"], "/app")
    again = objects(text, ClusterRequest(below="/"))["shop-groups"]["groups"]["shop"]
    assert again["home"] == "/app/h/p"
    already = objects(text.replace("/h/p/src", "/app/src"), ClusterRequest(below="/"))["shop-groups"]["groups"]["shop"]
    assert already["python-path"][0] == "/app/src"


@pytest.mark.parametrize(
    ("listen", "host", "port", "health"),
    [
        ('["127.0.0.1:8080"]', "0.0.0.0", 8080, 9180),
        ('["[::1]:8080"]', "[::]", 8080, 9180),
        ('["0.0.0.0:80"]', "0.0.0.0", 8000, 9180),  # an ordinary user has no port below 1024
        ('["0.0.0.0:9180"]', "0.0.0.0", 9180, 9181),
    ],
)
def test_where_a_pod_listens(listen: str, host: str, port: int, health: int) -> None:
    found = objects(SHOP.replace('["127.0.0.1:8000"]', listen))
    assert found["shop-groups"]["groups"]["shop"]["listen"] == [f"{host}:{port}"]
    assert found["shop-groups"]["server"]["health-listen"] == f"{host}:{health}"
    ports = {item["name"]: item["containerPort"] for item in container(found)["ports"]}
    assert ports == {"http": port, "health": health}


def test_routes_of_a_site() -> None:
    found = objects(SITE)
    route = found["www.example.org-route"]
    assert route["spec"]["parentRefs"] == [{"namespace": "infrastructure", "name": "public"}]
    assert route["spec"]["hostnames"] == ["www.example.org", "*.example.org"]
    rules = [(rule["matches"][0]["path"]["value"], rule["backendRefs"][0]) for rule in route["spec"]["rules"]]
    assert rules == [
        ("/admin", {"name": "shop", "port": 80}),
        ("/api", {"name": "api", "port": 80}),
        ("/", {"name": "shop", "port": 80}),
    ]
    assert found["shop-service"]["spec"]["ports"][0]["port"] == 80
    assert "www.example.org-route.yaml" in found["kustomization"]["resources"]
    unserved = objects(SITE.replace('listen = ["0.0.0.0:80"]\n', ""))
    assert not [name for name in unserved if name.endswith("-route")]


def test_a_site_that_redirects_has_a_route_for_each_listener() -> None:
    found = objects(SITE.replace("aliases =", "redirect-to-https = true\naliases ="))
    redirect = found["www.example.org-redirect-route"]["spec"]
    assert redirect["parentRefs"][0]["sectionName"] == "http"
    (rule,) = redirect["rules"]
    (only,) = rule["filters"]
    assert only == {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    assert found["www.example.org-route"]["spec"]["parentRefs"][0]["sectionName"] == "https"


def test_more_names_than_a_route_may_have() -> None:
    names = ", ".join(f'"a{number}.example.org"' for number in range(16))
    found = objects(SITE.replace('"*.example.org"', names))
    first, second = (found[f"www.example.org{part}-route"]["spec"] for part in ("", "-2"))
    assert (len(first["hostnames"]), len(second["hostnames"])) == (16, 1)
    assert first["rules"] == second["rules"]


def test_an_ingress_in_their_place() -> None:
    text = SITE.replace("[groups.shop]", 'ingress-class = "traefik"\n[groups.shop]')
    found = objects(text, ClusterRequest(ingress=True))
    spec = found["www.example.org-ingress"]["spec"]
    assert spec["ingressClassName"] == "traefik"
    assert [rule["host"] for rule in spec["rules"]] == ["www.example.org", "*.example.org"]
    paths = spec["rules"][0]["http"]["paths"]
    assert [(path["path"], path["pathType"]) for path in paths] == [
        ("/admin", "Prefix"),
        ("/api", "Prefix"),
        ("/", "Prefix"),
    ]
    assert not [name for name in found if name.endswith("-route")]


def test_one_group_alone() -> None:
    found = objects(SITE, ClusterRequest(group="api"))
    assert not [name for name in found if name.startswith("shop")]
    spec = found["api-www.example.org-route"]["spec"]
    assert [rule["matches"][0]["path"]["value"] for rule in spec["rules"]] == ["/api"]
    assert found["api-deployment"] == objects(SITE)["api-deployment"]


def test_keda_follows_busy_threads() -> None:
    text = SHOP + 'kubernetes.autoscale = "keda"\nkubernetes.replicas-max = 9\n'
    found = objects(text.replace("[groups.shop]", 'namespace = "web"\n[groups.shop]'))
    assert "replicas" not in found["shop-deployment"]["spec"]  # each apply would set it back
    assert found["kustomization"]["namespace"] == "web"
    spec = found["shop-scaled-object"]["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 9)
    (trigger,) = spec["triggers"]
    of = '{group="shop",namespace="web"}'
    assert trigger["metadata"] == {
        "serverAddress": "http://prometheus.example.org:9090/",
        "query": f"sum(wsgigroups_requests_active{of}) + sum(wsgigroups_requests_queued{of})",
        "threshold": "12",  # 0.6 × 10 threads × 2 processes
    }
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300


@pytest.mark.parametrize(("threads", "processes", "value"), [(10, 2, "12"), (1, 1, "600m"), (3, 2, "3600m")])
def test_an_autoscaler_follows_busy_threads(threads: int, processes: int, value: str) -> None:
    text = SHOP.replace("threads = 10", f"threads = {threads}").replace("processes = 2", f"processes = {processes}")
    found = objects(f'{text}kubernetes.autoscale = "hpa"\nkubernetes.replicas-max = 9\n')
    assert "replicas" not in found["shop-deployment"]["spec"]
    spec = found["shop-autoscaler"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"]["name"]) == (2, 9, "shop")
    (metric,) = spec["metrics"]
    assert metric["pods"]["metric"]["name"] == "wsgigroups_requests_active"
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": value}


def test_what_stands_beside_the_pods() -> None:
    found = objects(SHOP)
    selector = found["shop-deployment"]["spec"]["selector"]["matchLabels"]
    policy = found["shop-network-policy"]["spec"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": port} for port in ("http", "health")]}]
    assert policy["podSelector"] == {"matchLabels": selector}
    (endpoint,) = found["shop-pod-monitor"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("health", "/metrics")
    budget = found["shop-disruption-budget"]["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    for name in ("shop-service", "shop-disruption-budget", "shop-pod-monitor"):
        found_selector = found[name]["spec"]["selector"]
        assert found_selector.get("matchLabels", found_selector) == selector


def test_a_single_pod_has_no_budget_that_would_hold_its_node() -> None:
    assert "shop-disruption-budget" not in objects(SHOP + "kubernetes.replicas = 1\n")


def test_older_clusters_are_spared_what_they_do_not_know() -> None:
    found = objects(SHOP, ClusterRequest(version=KubernetesVersion(1, 26)))
    assert "unhealthyPodEvictionPolicy" not in found["shop-disruption-budget"]["spec"]
    assert "matchLabelKeys" not in str(found["shop-deployment"])
    assert "matchLabelKeys" in str(objects(SHOP)["shop-deployment"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop", "shop"),
        ("a-1", "a-1"),
        ("y", "y"),
        ("Shop", "shop-"),
        ("my_shop", "my-shop-"),
        ("1st", "st-"),
        ("---", "x-"),
    ],
)
def test_names_of_objects(name: str, expected: str) -> None:
    found = object_name(name)
    assert found.startswith(expected)
    assert (found == name) == (expected == name)


def test_no_two_names_become_one() -> None:
    names = ["a.b", "a_b", "A.b", "a-b", "x" * 64, "x" * 63, "x" * 63 + "."]
    assert len({object_name(name) for name in names}) == len(names)
    assert all(len(object_name(name)) <= LONGEST_NAME for name in names)


WORDS = [
    "y",
    "N",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "null",
    "~",
    "012",
    "0o14",
    "1:30",
    "1e3",
    "1_000",
    "2026-01-01",
    "=",
    "",
]


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_text_is_text_in_every_version_of_yaml(version: tuple[int, int]) -> None:
    data = {"list": WORDS, **dict.fromkeys(WORDS, True), "lines": "a\nb: c\n", "number": 3}
    assert parsed(yaml_text(data), version) == data
    text = SHOP.replace("groups.shop", "groups.y")
    written = base(text)["y-service.yaml"]
    assert parsed(written, version)["metadata"]["name"] == "y"
