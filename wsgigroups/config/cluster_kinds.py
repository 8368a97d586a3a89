"""What a Kubernetes cluster knows by name, and quantities of it: the kinds of these values. Pure.

Names are those of RFC 1123 section 2.1, as the API server checks them (Kubernetes documentation, Object Names and IDs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from wsgigroups.config.capacity import MAXIMUM_ITEMS
from wsgigroups.config.kinds import AnyPath, Kind, distinct, listed, refuse, shown, text_of, type_name

NAME_PATTERN = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:[.][a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
IMAGE_PATTERN = "[a-z0-9][A-Za-z0-9._:/-]*(?:@sha256:[0-9a-f]{64})?"
CPU_PATTERN = "[1-9][0-9]{0,5}m|[1-9][0-9]{0,3}(?:[.][0-9]{1,3})?|0[.](?:[1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])"
_LONGEST_NAME = 253


def is_cluster_name(text: str) -> bool:
    """Whether an object of a cluster can have this name."""
    return len(text) <= _LONGEST_NAME and bool(re.fullmatch(NAME_PATTERN, text))


def read_cluster_name(value: Any) -> str:
    """The name of an object."""
    name = text_of(value, "a name")
    if not is_cluster_name(name):
        hint = 'lower-case letters, digits, "-" and ".", a letter or digit first and last'
        raise refuse("WG0325", f"no object of a cluster can be called {shown(name)}", hint)
    return name


def read_cluster_gateway(value: Any) -> str:
    """The name of a Gateway, with its namespace before it where that is another one."""
    text = text_of(value, "the name of a Gateway")
    parts = text.split("/")
    if len(parts) > 2 or not all(map(is_cluster_name, parts)):
        raise refuse("WG0325", f"{shown(text)} names no Gateway", '"public", or "NAMESPACE/public"')
    return text


def read_image(value: Any) -> str:
    """The reference of a container image."""
    text = text_of(value, "the name of an image")
    if not re.fullmatch(IMAGE_PATTERN, text):
        raise refuse("WG0325", f"{shown(text)} names no image", 'for example "registry.example.org/blog:1.4"')
    return text


def read_cpu(value: Any) -> str:
    """Processors, or thousandths of one."""
    text = f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(CPU_PATTERN, text):
        raise refuse("WG0325", f"{shown(value)} is no number of processors", 'for example 2, 0.5 or "500m"')
    return text


def read_claims(value: Any) -> Any:
    """A table of directories by the claims that they are on."""
    if not isinstance(value, Mapping):
        raise refuse("WG0301", f"a table of directories is expected, this is {type_name(value)}", '{ media = "/srv" }')
    if len(value) > MAXIMUM_ITEMS:
        raise refuse("WG0302", f"there are {len(value)} volumes, at most {MAXIMUM_ITEMS} are possible")
    return value


_ClusterName = Annotated[str, BeforeValidator(read_cluster_name)]

ClusterName = Annotated[str, BeforeValidator(read_cluster_name), Kind("cluster-name")]
ClusterNames = Annotated[tuple[_ClusterName, ...], listed("names"), AfterValidator(distinct), Kind("cluster-names")]
ClusterGateway = Annotated[str, BeforeValidator(read_cluster_gateway), Kind("cluster-gateway")]
Image = Annotated[str, BeforeValidator(read_image), Kind("image")]
Cpu = Annotated[str, BeforeValidator(read_cpu), Kind("cpu")]
Claims = Annotated[dict[_ClusterName, AnyPath], BeforeValidator(read_claims), Kind("claims")]
