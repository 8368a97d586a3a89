"""The dashboard: a page that shows what `status`, `top`, `why`, `events` and `logs` show, and who may look at it.

Knows neither the manager nor its client: whoever serves it brings a source (`source.py`) that answers as the control
API does. docs/decisions/web.md says why it is made like this.
"""
