"""The files that sites name, as they are now: certificates with their keys, pages for errors, static directories.

Runs in the manager and in `plan`. What is not root's alone is read as the gateway's user, as helpers.py has it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.sites import has_acme, server_name
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.authority import order_path
from wsgigroups.plan.routing import CertificateTarget
from wsgigroups.trust.certificates import MAXIMUM_PAGE_BYTES, PairError, read_pair
from wsgigroups.trust.helpers import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config import Site
    from wsgigroups.trust.certificates import Pair
    from wsgigroups.trust.helpers import Account


@dataclass(slots=True)
class SiteFiles:
    """Reads what sites name, each file once. For one configuration at one time."""

    account: Account
    orders: str  # the directory of certificates that an authority makes
    authority: str  # its URL
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)

    def certificate(self, name: str, site: Site) -> CertificateTarget | None:
        """Return what a site's certificate is. Raises WsgigroupsError."""
        if has_acme(site):
            return self._made(name, site)
        if site.certificate is None or site.certificate_key is None:
            return None
        files = str(site.certificate), str(site.certificate_key)
        if files not in self.pairs:
            try:
                self.pairs[files] = read_pair(*files, self.account)
            except PairError as error:
                raise WsgigroupsError(f"cannot use the {error.option} of site {name!r}: {error}") from None
        pair = self.pairs[files]
        return CertificateTarget(pair.name, *files, pair.expires_at)

    def _made(self, name: str, site: Site) -> CertificateTarget | None:
        """What an authority has made for a site; None before that, and for what is of no use: it is ordered again."""
        path = order_path(self.orders, self.authority, server_name(name, site))
        if (path, path) not in self.pairs:
            try:
                self.pairs[path, path] = read_pair(path, path, self.account)
            except PairError:
                return None
        pair = self.pairs[path, path]
        return CertificateTarget(pair.name, path, path, pair.expires_at)

    def read_pages(self, name: str, site: Site) -> None:
        """Read the pages of a site. Raises WsgigroupsError."""
        for status, path in site.error_pages.items():
            if str(path) in self.pages:
                continue
            try:
                self.pages[str(path)] = read_file(str(path), self.account, MAXIMUM_PAGE_BYTES).decode()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                text = f"cannot use the page {path} for {status} of site {name!r}: {why}"
                raise WsgigroupsError(text) from None


def places_of(sites: Mapping[str, Site]) -> dict[str, str]:
    """Return which directory is at the path of each static one now; none for what cannot be looked at.

    Whether it can be served is seen when it is opened.
    """
    found = {}
    for site in sites.values():
        for static in site.static:
            path = str(static.directory)
            if path not in found:
                try:
                    found[path] = f"inode {os.stat(path).st_ino}"
                except OSError:
                    found[path] = ""
    return found
