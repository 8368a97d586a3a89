"""The Flask application of the quickstart."""
