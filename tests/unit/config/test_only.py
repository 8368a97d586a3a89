"""Some groups of a configuration alone: `run --group`."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.config import Configuration, load
from wsgigroups.config.only import only
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.gateway.mounted import applications_of, mounts_of

TEXT = """
version = 1
[server]
drain-delay = "10s"
[groups.blog]
app = "blog.wsgi:application"
[groups.api]
threads = 3
listen = ["127.0.0.1:9000"]
[sites."www.example.org"]
listen = ["127.0.0.1:8080"]
aliases = ["example.org"]
process-group = "blog"
hsts = "1h"
[[sites."www.example.org".mounts]]
path = "/"
[[sites."www.example.org".mounts]]
path = "/api"
app = "api:application"
process-group = "api"
[[sites."www.example.org".mounts]]
path = "/private"
app = "private:application"
process-group = "private"
[sites."www.example.org".groups.private]
threads = 2
[sites."shop.example.org"]
listen = ["127.0.0.1:8080"]
process-group = "blog"
[[sites."shop.example.org".mounts]]
path = "/"
app = "shop:application"
"""


@pytest.fixture
def whole(tmp_path: Path) -> Configuration:
    path = tmp_path / "groups.toml"
    path.write_text(TEXT)
    found = load([path]).configuration
    assert found
    return found


def paths(configuration: Configuration) -> dict[str, list[str]]:
    return {name: [mount.path for mount in site.mounts] for name, site in configuration.sites.items()}


def test_a_group_that_listens_keeps_its_mounts_and_needs_no_gateway(whole: Configuration) -> None:
    found = only(whole, ["api"])
    assert list(found.all_groups()) == ["api"]
    assert paths(found) == {"www.example.org": ["/api"]}
    site = found.sites["www.example.org"]
    assert (site.listen, site.process_group, site.hsts) == ((), None, whole.sites["shop.example.org"].hsts)
    (application,) = applications_of(found.groups["api"], mounts_of(found)["api"], linked=False)
    assert (application.mount, application.target) == ("/api", "api:application")
    assert found.server.drain_delay == 10.0


def test_a_group_that_does_not_is_served_by_the_sites_that_lead_to_it(whole: Configuration) -> None:
    found = only(whole, ["blog"])
    assert list(found.all_groups()) == ["blog"]
    assert paths(found) == {"www.example.org": ["/"], "shop.example.org": ["/"]}
    assert all(site.listen for site in found.sites.values())
    assert found.sites["www.example.org"].hsts == 3600.0


def test_a_group_of_a_site_is_kept_with_it(whole: Configuration) -> None:
    found = only(whole, ["private"])
    assert list(found.all_groups()) == ["private"]
    assert paths(found) == {"www.example.org": ["/private"]}
    assert found.groups == {}


def test_several_are_kept_together_and_stay_a_configuration(whole: Configuration) -> None:
    found = only(whole, ["api", "private"])
    assert paths(found) == {"www.example.org": ["/api", "/private"]}
    assert only(whole, list(whole.all_groups())).to_document() == whole.to_document()
    assert Configuration.from_document(found.to_document()) == found


def test_one_that_is_not_there(whole: Configuration) -> None:
    with pytest.raises(WsgigroupsError, match="cannot find group 'blgo' in this configuration") as caught:
        only(whole, ["blgo"])
    assert caught.value.exit_code is ExitCode.NO_SUCH_GROUP
    assert caught.value.hint == "groups here: api, blog, private"
