"""Of a traceback, the frame that matters to who wrote the application."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgigroups.cli.culprits import culprit, essence, last_words

HEAD = "Traceback (most recent call last):\n"
OWN = '  File "/srv/shop/shop/models.py", line 8, in load\n    import nothere\n'
LIBRARY = (
    '  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module\n    return _gcd_import(name)\n'
)
INSTALLED = '  File "/srv/shop/.venv/lib/python3.11/site-packages/x.py", line 3, in go\n    raise ValueError\n'
BARE = '  File "<frozen os>", line 679, in __getitem__\n'
CASES = {
    "its own": (HEAD + OWN + "ModuleNotFoundError: x\n", "shop/models.py:8  import nothere"),
    "below libraries": (HEAD + OWN + LIBRARY + BARE + "KeyError: 'X'\n", "shop/models.py:8  import nothere"),
    "what is installed in it is not": (HEAD + OWN + INSTALLED + "ValueError\n", "shop/models.py:8  import nothere"),
    "nothing of its own": (HEAD + LIBRARY + BARE + "KeyError: 'X'\n", "<frozen os>:679"),
    "syntax": (
        HEAD + OWN + '  File "/srv/shop/views.py", line 3\n    def (:\n        ^\nSyntaxError: invalid syntax\n',
        "views.py:3  def (:",
    ),
    "no frame": (HEAD + "ModuleNotFoundError: No module named 'nope'\n", None),
    "nothing": (None, None),
}


@pytest.mark.parametrize(("traceback", "expected"), CASES.values(), ids=CASES.keys())
def test_the_frame_that_matters(traceback: str | None, expected: str | None) -> None:
    assert culprit(traceback, Path("/srv/shop")) == expected


@pytest.mark.parametrize(
    ("traceback", "words"),
    [
        (None, ""),
        ('in flight: GET / for 3.0 s\nThread MainThread (most recent call last):\n  File "a.py", line 1, in f', ""),
        (
            (
                'Traceback (most recent call last):\n  File "/srv/a/wsgi.py", line 3, in <module>\n    import b\n'
                '  File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module\n'
                "ModuleNotFoundError: No module named 'b'\n"
            ),
            "ModuleNotFoundError: No module named 'b' (wsgi.py:3)",
        ),
        (
            (
                'Traceback (most recent call last):\n  File "/usr/lib/python3.11/a.py", line 1, in x\nKeyError: 1\n\n'
                "During handling of the above exception, another exception occurred:\n\n"
                'Traceback (most recent call last):\n  File "/srv/a/db.py", line 9, in connect\n'
                "app.errors.Down: first line\nsecond line\n"
            ),
            "app.errors.Down: first line (db.py:9)",
        ),
        (
            (
                'Traceback (most recent call last):\n  File "/srv/a/wsgi.py", line 8\n    def f(:\n          ^\n'
                "SyntaxError: invalid syntax\n"
            ),
            "SyntaxError: invalid syntax (wsgi.py:8)",
        ),
        ("Traceback (most recent call last):\nStopIteration\n", "StopIteration"),
    ],
)
def test_the_last_words_are_the_error_and_its_place(traceback: str | None, words: str) -> None:
    assert last_words(traceback) == words


def test_the_essence_is_the_place_in_its_own_code_and_the_error() -> None:
    assert essence(HEAD + OWN + LIBRARY + "KeyError: 'X'\n") == (
        "/srv/shop/shop/models.py:8  import nothere",
        "KeyError: 'X'",
    )
    assert essence(HEAD + LIBRARY + "KeyError: 'X'\n") == ("", "KeyError: 'X'")
    assert essence("Thread 0x1 (most recent call first):\n") is None
