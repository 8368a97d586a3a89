"""The spawner's fixtures for this directory."""

from support.spawner_fixtures import bootstrap, interpreters, manager, managers, script, workspace

__all__ = ["bootstrap", "interpreters", "manager", "managers", "script", "workspace"]
