"""One tenant, whose application attempts what its confinement should keep it from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.attempts import Tenant, tenant_of
from support.processes import Manager
from support.spawner_fixtures import bootstrap, manager, managers, workspace

__all__ = ["bootstrap", "manager", "managers", "tenant", "workspace"]


@pytest.fixture
def tenant(manager: Manager) -> Iterator[Tenant]:
    with tenant_of(manager) as made:
        yield made
