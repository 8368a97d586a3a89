"""The one table."""

from django.db import models


class Entry(models.Model):
    """A row of the page."""

    title = models.CharField(max_length=100)
    text = models.TextField()

    def __str__(self) -> str:
        return self.title
