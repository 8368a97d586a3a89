"""Checks beyond single values: bounds, references, arithmetic, and those against a host."""
