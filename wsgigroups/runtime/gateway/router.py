"""Which site, and what of it, answers a request: tables made once of the routes, and a look-up for each request.

Pure; any thread. First the host: the exact server name, then an alias, then the longest wildcard, then the first site
of the listener. Then the path: the longest prefix that ends at a segment boundary, mounts and static directories
together. What a look-up costs depends on the routes, and never on how many labels or segments a client sends.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

from ..wire.routes import MountRoute, Routes, SiteRoute, StaticRoute

_LONGEST_NAME = 255  # characters; no name of a host is longer (RFC 1035 section 2.3.4), what a client sends may be


class Match(NamedTuple):
    """What answers. Without a mount and a static directory there is nothing below that path."""

    site_name: str  # its key in the routes; "": the listener has no site
    site: Optional[SiteRoute]
    mount: Optional[MountRoute]
    static: Optional[StaticRoute]
    script_name: str  # SCRIPT_NAME and PATH_INFO, as PEP 3333 has them: each character stands for a byte
    path_info: str


class _Prefixes:
    """What a site has below which prefix; "" is the prefix of everything."""

    __slots__ = ("_lengths", "found", "groups", "name", "site")

    def __init__(self, name: str, site: SiteRoute) -> None:
        self.name = name
        self.site = site
        self.groups = {mount.group for mount in site.mounts}
        self.found: Dict[str, Tuple[Optional[MountRoute], Optional[StaticRoute]]] = {}
        # At one path the first of its kind answers, and files before an application, as Alias is heeded before
        # WSGIScriptAlias.
        for static in site.statics:
            self.found.setdefault(_prefix(static.path), (None, static))
        for mount in site.mounts:
            self.found.setdefault(_prefix(mount.path), (mount, None))
        self._lengths: List[int] = sorted({len(prefix) for prefix in self.found}, reverse=True)

    def find(self, path: str) -> Match:
        size = len(path)
        for length in self._lengths:
            if length > size or (length < size and path[length] != "/"):
                continue
            prefix = path[:length]
            found = self.found.get(prefix)
            if found is not None:
                return Match(self.name, self.site, found[0], found[1], prefix, path[length:])
        return Match(self.name, self.site, None, None, "", path)


class _Names:
    """The keys of one listener's sites by the names of hosts."""

    __slots__ = ("_exact", "_first", "_wildcards", "keys")

    def __init__(self, keys: Tuple[str, ...], sites: Dict[str, _Prefixes]) -> None:
        self.keys = keys
        self._first = keys[0] if keys else None
        self._exact: Dict[str, str] = {}
        self._wildcards: Dict[str, str] = {}  # without "*."
        for key in keys:
            self._exact.setdefault(canonical(sites[key].site.server_name), key)
        for key in keys:
            for alias in sites[key].site.aliases:
                name = canonical(alias)
                if name.startswith("*."):
                    self._wildcards.setdefault(name[2:], key)
                else:
                    self._exact.setdefault(name, key)

    def find(self, host: str) -> Optional[str]:
        found = self._exact.get(host)
        if found is not None:
            return found
        name = canonical(host)
        found = self._exact.get(name)
        if found is None and self._wildcards and len(name) <= _LONGEST_NAME:
            dot = name.find(".")
            while dot >= 0 and found is None:  # the longest first
                name = name[dot + 1 :]
                found = self._wildcards.get(name)
                dot = name.find(".")
        return self._first if found is None else found


class Router:
    """Finds what answers. Raises ValueError for routes that name a site or a link that they do not have."""

    def __init__(self, routes: Routes, before: "Optional[Router]" = None) -> None:
        """before: the router that this one takes the place of; what is the same object in both is taken over."""
        old = {} if before is None else before._sites
        self._sites: Dict[str, _Prefixes] = {}
        renamed = False
        for name, site in routes.sites.items():
            entry = old.get(name)
            if entry is None or entry.site is not site:
                renamed = renamed or entry is None or not _is_named_as(entry.site, site)
                entry = _Prefixes(name, site)
            self._sites[name] = entry
            for group in entry.groups:
                if group not in routes.links:
                    raise ValueError("the routes have no link to the group %s of the site %s" % (group, name))
        for listener in routes.listeners:
            unknown = [name for name in listener.sites if name not in self._sites]
            if unknown:
                raise ValueError("the routes have no site %s, which %s serves" % (unknown[0], listener.address))
        # Sites that are gone are on no listener any more, so that its keys differ.
        known = {} if before is None or renamed else {names.keys: names for names in before._names}
        self._names: List[_Names] = [
            known.get(item.sites) or _Names(item.sites, self._sites) for item in routes.listeners
        ]

    def find(self, listener: int, host: str, path: str) -> Match:
        """Return what answers below this listener, by its place in the routes. Raises IndexError.

        host: the value of Host, or the authority of an absolute target; "" if there is none. path: decoded, as
        PATH_INFO of a request that nobody has routed yet.
        """
        found = self._names[listener].find(host)
        if found is None:
            return Match("", None, None, None, "", path)
        return self._sites[found].find(path)

    def site_of(self, listener: int, host: str) -> Tuple[str, Optional[SiteRoute]]:
        """Return the key and the site that a name leads to, as `find` does: for TLS, by the name that SNI brings."""
        found = self._names[listener].find(host)
        return ("", None) if found is None else (found, self._sites[found].site)

    def prefixes(self, site_name: str) -> List[Tuple[str, Optional[MountRoute]]]:
        """Return the prefixes of a site, the longest first, with the mounts that are there; None: files."""
        found = self._sites[site_name].found
        return [(prefix, found[prefix][0]) for prefix in sorted(found, key=len, reverse=True)]


def _is_named_as(one: SiteRoute, other: SiteRoute) -> bool:
    return one.server_name == other.server_name and one.aliases == other.aliases


def canonical(host: str) -> str:
    """Return the name in a Host field as names are compared: lower case, no port, no final dot.

    The brackets of an IPv6 address stay.
    """
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    if host.endswith("."):
        host = host[:-1]
    return host.lower()


def _prefix(path: str) -> str:
    """Return a prefix of the routes as it is found in a PATH_INFO (PEP 3333, "Unicode Issues")."""
    return path.rstrip("/").encode("utf-8", "surrogateescape").decode("latin-1")
