"""A script file without a callable."""

applicaton = "misspelt, and a text besides"
