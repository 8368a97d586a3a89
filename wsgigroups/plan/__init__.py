"""Desired and observed state, and the ordered, explained steps between them. Pure; runs in manager and command line."""
