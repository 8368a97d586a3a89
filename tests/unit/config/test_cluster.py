"""[kubernetes] and the table kubernetes of a group: shown, compared, inherited, and read back."""

from __future__ import annotations

from typing import Any

import pytest
from support.clusters import SHOP, given

from wsgigroups.config import Configuration, load
from wsgigroups.config.differences import differences
from wsgigroups.config.show import as_text, as_toml, blocks
from wsgigroups.interop.renderers.kubernetes.workload import workload_of

WITH_VOLUMES = SHOP + 'kubernetes.volumes = { "media.v1" = "/srv/media", plain = "/srv/$${plain}" }\n'


def configuration(text: str) -> Configuration:
    found = load([given(text)], variables={})
    assert found.configuration, found.diagnostics
    return found.configuration


def test_what_is_shown_can_be_read_again() -> None:
    first = configuration(WITH_VOLUMES)
    text = as_toml(list(blocks(first, None, defaults=False)))
    assert 'volumes."media.v1" = "/srv/media"\n' in text
    assert configuration(text) == first
    assert Configuration.from_document(first.to_document()) == first


def test_defaults_of_a_group_are_those_of_the_cluster() -> None:
    text = SHOP.replace("[groups.shop]", "replicas = 4\n[groups.shop]") + "kubernetes.replicas-max = 9\n"
    loaded = load([given(text)], variables={})
    assert loaded.configuration
    shown = as_text(list(blocks(loaded.configuration, loaded.composed, defaults=True)), lambda line, _style: line)
    of_group = shown.partition("[groups.shop.kubernetes]")[2]
    assert "replicas = 4 " in of_group
    assert "replicas of [kubernetes]" in of_group
    assert 'image = "registry.example.org/shop:1.4"' in of_group


def test_most_files_are_for_no_cluster() -> None:
    text = 'version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:1"]\n'
    shown = as_toml(list(blocks(configuration(text), None, defaults=True)))
    assert "kubernetes" not in shown
    assert "kubernetes" not in configuration(text).to_document()


@pytest.mark.parametrize(
    ("cluster", "defaults", "group", "replicas"),
    [
        ("", "", "", 2),
        ("replicas = 3", "", "", 3),
        ("replicas = 3", "replicas = 4", "", 4),
        ("", "replicas = 4", "replicas = 5", 5),
    ],
)
def test_what_a_group_does_not_say_the_cluster_says(cluster: str, defaults: str, group: str, replicas: int) -> None:
    text = (
        f'version = 1\n[kubernetes]\n{cluster}\n[defaults.kubernetes]\n{defaults}\n[groups.a]\napp = "a:b"\n'
        f'listen = ["127.0.0.1:1"]\n[groups.a.kubernetes]\n{group}\n'
    )
    found = configuration(text)
    assert workload_of("a", found.groups["a"], found.kubernetes, found.server).replicas == replicas


def test_changes_are_named() -> None:
    old = configuration(SHOP).to_document()
    new = configuration(SHOP.replace(":1.4", ":1.5") + 'kubernetes.volumes = { media = "/srv" }\n').to_document()
    found = [(item.key, item.sign, item.old, item.new) for item in differences(old, new)]
    assert found == [
        ("kubernetes.image", "~", '"registry.example.org/shop:1.4"', '"registry.example.org/shop:1.5"'),
        ("groups.shop.kubernetes.volumes.media", "+", None, '"/srv"'),
    ]


@pytest.mark.parametrize(
    ("written", "read"), [(2, "2"), (0.5, "0.5"), ("500m", "500m"), ("1.25", "1.25"), ("0.05", "0.05")]
)
def test_processors(written: Any, read: str) -> None:
    document = {**configuration(SHOP).to_document(), "kubernetes": {"cpu": written}}
    assert Configuration.from_document(document).kubernetes.cpu == read
