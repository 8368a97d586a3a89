"""The configuration as the rest of the program sees it. Pure: no file is read here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wsgigroups.config.build import Parts, build
from wsgigroups.config.codes import severity_of
from wsgigroups.config.diagnostics import Finding, Severity, path_text
from wsgigroups.config.models.cluster import ClusterOptions
from wsgigroups.config.models.group import Group
from wsgigroups.config.models.server import ServerDefaults
from wsgigroups.config.models.site import Gateway, Site
from wsgigroups.config.normalise import Normaliser
from wsgigroups.config.owners import SHARED_TABLES, Owners
from wsgigroups.config.shape import DOCUMENT
from wsgigroups.errors import ExitCode, WsgigroupsError


class Configuration(BaseModel):
    """One valid configuration: composed, with absolute paths and without profiles, defaults or includes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # its tables are read one by one

    version: Literal[1] = 1
    server: ServerDefaults = Field(default_factory=ServerDefaults)
    gateway: Gateway = Field(default_factory=Gateway)
    kubernetes: ClusterOptions = Field(default_factory=ClusterOptions)
    groups: dict[str, Group] = Field(default_factory=dict)
    sites: dict[str, Site] = Field(default_factory=dict)
    owners: Owners = Field(default_factory=Owners)  # files that it was read from, for those who apply one of them

    def all_groups(self) -> Mapping[str, Group]:
        """Every group, those of sites too, by name in order."""
        found = dict(self.groups)
        for site in self.sites.values():
            found.update(site.groups)
        return dict(sorted(found.items()))

    def to_document(self) -> dict[str, Any]:
        """Return plain JSON data of what was written: kebab-case keys, seconds, bytes, absolute paths.

        With the table `owners`, which no file may have, where the owners are known.
        """
        document: dict[str, Any] = {"version": self.version}
        for name in SHARED_TABLES:
            table = _written(getattr(self, name))
            if table:
                document[name] = table
        if self.groups:
            document["groups"] = {name: _written(group) for name, group in self.groups.items()}
        if self.sites:
            document["sites"] = {name: _written(site) for name, site in self.sites.items()}
        owners = self.owners.to_document()
        return {**document, "owners": owners} if owners else document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Configuration:
        """Build from `to_document`'s data. Raises WsgigroupsError (usage) naming the first key that is wrong."""
        if not isinstance(document, Mapping):
            raise WsgigroupsError("cannot use this configuration: it is not a table", exit_code=ExitCode.USAGE)
        normaliser = Normaliser()
        owners = Owners.read(document)
        parts = build(normaliser.document({k: v for k, v in document.items() if k != "owners"}, DOCUMENT))
        for finding in [*normaliser.findings, *parts.findings]:
            if severity_of(finding.code) is Severity.ERROR:
                raise _refusal(finding)
        return cls.of_parts(parts, owners)

    @classmethod
    def of_parts(cls, parts: Parts, owners: Owners | None = None) -> Configuration:
        """Put together what was validated piece by piece."""
        # construct: every piece is a validated model already, and they are not validated again
        return cls.model_construct(
            {"version", "server", "gateway", "kubernetes", "groups", "sites", "owners"},
            version=1,
            server=parts.server,
            gateway=parts.gateway,
            kubernetes=parts.kubernetes,
            groups=parts.groups,
            sites=parts.sites,
            owners=owners or Owners(),
        )


def _written(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _refusal(finding: Finding) -> WsgigroupsError:
    where = f"{path_text(finding.path)}: " if finding.path else ""
    return WsgigroupsError(
        f"cannot use this configuration: {where}{finding.message} ({finding.code})",
        hint=finding.hint,
        exit_code=ExitCode.USAGE,
    )
