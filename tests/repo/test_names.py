"""One name per thing: no two public classes of the package share one, nor files whose name alone says too little."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from support.tree import parsed, python_files


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[Path]] = defaultdict(list)
    for path in python_files("wsgigroups"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    assert "Connection" in places, "mend the search above"
    shared = {name: [str(path) for path in found] for name, found in places.items() if len(found) > 1}
    assert not shared, f"rename all but one by what they are: {shared}"


@pytest.mark.parametrize("name", ["limits.py", "options.py"])
def test_such_a_file_is_there_once(name: str) -> None:
    found = [str(path) for path in python_files("wsgigroups") if path.name == name]
    assert len(found) <= 1, f"whose? {found}"
