"""Has no `application`; `not_callable` is a number, `factory_of_nothing()` returns None, `failing_factory()` raises."""

not_callable = 7


def factory_of_nothing():
    """Return nothing that could be called."""


def failing_factory():
    """Raise instead of making an application."""
    raise LookupError("the factory of the fixture failed")
