"""The collector of cycles is on again when nobody needs it off."""

from __future__ import annotations

import gc

import pytest

from wsgigroups.uncollected import uncollected


def test_the_last_one_that_leaves_has_it_on_again() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with pytest.raises(ValueError, match="inside"), uncollected():
            raise ValueError("inside")
        assert not gc.isenabled()
    assert gc.isenabled()
