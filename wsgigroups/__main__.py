"""`python -m wsgigroups` is the command line."""

from wsgigroups.cli.main import main

main()
