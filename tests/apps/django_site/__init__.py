"""A Django project with SQLite, database sessions and a template page.

Tests and benchmarks use it as `django_site.wsgi:application` with SITE_DATABASE naming a file that the process may
make. `/` renders a template over a query of 20 rows, `/visit` counts in the session, `/keep` (POST) adds a row,
`/count` tells the rows, `/fail` raises in a view.
"""
