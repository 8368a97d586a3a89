"""The spawner's fixtures for this directory."""

from support.spawner_fixtures import bootstrap, manager, managers, script, workspace

__all__ = ["bootstrap", "manager", "managers", "script", "workspace"]
