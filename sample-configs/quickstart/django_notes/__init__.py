"""The Django project of the quickstart: a page of notes, kept in SQLite, with a counter in the session."""
