"""Variables that are read before a group's environment is set: warned of, by name."""

from __future__ import annotations

import pytest

from wsgigroups.config.checks.late_variables import late_variable


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PYTHONPATH", "python-path"),
        ("LC_CTYPE", "locale"),
        ("PYTHONDONTWRITEBYTECODE", "sys.dont_write_bytecode"),
        ("PYTHONWARNINGS", "warnings.simplefilter"),
        ("PYTHONOPTIMIZE", "leave it out"),
        ("PYTHONHASHSEED", "leave it out"),
        ("PYTHONDEVMODE", "leave it out"),
        ("LD_LIBRARY_PATH", "ldconfig"),
        ("LD_PRELOAD", "programs that the application starts"),
        ("LD_BIND_NOW", "programs that the application starts"),
        ("GLIBC_TUNABLES", "programs that the application starts"),
    ],
)
def test_a_late_variable_is_named_with_what_helps(name: str, hint: str) -> None:
    found = late_variable(name)
    assert found is not None
    assert found[0].startswith(f"{name} in environment comes too late")
    assert hint in found[1]


@pytest.mark.parametrize("name", ["TZ", "PYTHONBREAKPOINT", "PYTHONASYNCIODEBUG", "DJANGO_DEBUG", "LDAP_HOST"])
def test_others_are_the_applications(name: str) -> None:
    assert late_variable(name) is None
