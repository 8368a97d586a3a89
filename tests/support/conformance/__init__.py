"""mod_wsgi in an Apache, and this project, asked the same: what differs has a sentence that says why.

Runs in pytest's process, as root, and behind `make conformance`. `case` is what a row of the comparison is, `cases` are
the rows, `sides` are the two servers, `running` asks both, `page` writes docs/conformance.md.
"""
