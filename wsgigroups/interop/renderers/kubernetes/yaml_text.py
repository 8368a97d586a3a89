"""Plain data as YAML that readers of 1.1 and 1.2 understand alike. Pure.

kubectl and Kustomize read YAML 1.1, in which a plain y, no or 012 is no text.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

if TYPE_CHECKING:
    from ruamel.yaml.nodes import ScalarNode

HEAD = "# Made by `wsgigroups render kubernetes`: what it makes again is written over. Put changes into an overlay.\n"
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # yaml.org/type/bool.html, null.html
_WIDTH = 2**30  # no value is folded


class _Texts(SafeRepresenter):
    """Text stands plain only where no version of YAML takes it for something else."""


def _text(representer: _Texts, value: str) -> ScalarNode:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    node: ScalarNode = representer.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')
    return node


_Texts.add_representer(str, _text)


def yaml_text(data: Any, head: str = HEAD) -> str:
    """Return one document: block style, keys in their order, a comment before it."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Texts
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = _WIDTH
    stream = io.StringIO()
    writer.dump(data, stream)
    return head + stream.getvalue()
