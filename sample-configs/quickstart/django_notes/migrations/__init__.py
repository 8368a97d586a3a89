"""Migrations of the notes table."""
