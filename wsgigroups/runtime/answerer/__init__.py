"""The process that answers 503 for groups that nobody serves; in the manager's own interpreter, without privileges."""
