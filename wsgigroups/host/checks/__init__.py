"""Checks of a configuration against a host: who runs what there, and whether it can."""
