"""The spawner's fixtures for this directory."""

from support.spawner_fixtures import bootstrap, managers, script, workspace
from support.spawner_fixtures import manager as spawning_manager

__all__ = ["bootstrap", "managers", "script", "spawning_manager", "workspace"]
