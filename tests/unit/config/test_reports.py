"""What diagnostics look like in each format: for people, and for the programs that collect findings."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest

from wsgigroups.config import Diagnostic, Loaded, Severity, load
from wsgigroups.config.codes import CODES
from wsgigroups.config.codes.page import example_document
from wsgigroups.config.diagnostics import Related
from wsgigroups.config.reports import FORMATS, renderer
from wsgigroups.config.reports.text import printable, render, summary

TEXT = """\
version = 1
[groups.blog]
app = "blog.wsgi:application"
listen = ["127.0.0.1:8000"]
proceses = 2
[groups.shop]
app = "shop:app"
listen = ["127.0.0.1:8000"]
server-metrics = true
threads = 100
"""


@pytest.fixture
def loaded(check: Any) -> Loaded:
    result: Loaded = check(TEXT)
    return result


def test_text_shows_line_caret_hint_and_related_places(loaded: Loaded) -> None:
    name = loaded.diagnostics[0].file
    text = render(loaded.diagnostics[:2], loaded.source, color=False)
    assert text == (
        f'error[WG0201]: unknown key "proceses" in a group\n --> {name}:5:1\n  |\n5 | proceses = 2\n  | ^^^^^^^^\n'
        f'  = hint: did you mean "processes"?\n\n'
        f"error[WG0409]: 127.0.0.1:8000 is listened on twice\n --> {name}:8:11\n  |\n"
        f'8 | listen = ["127.0.0.1:8000"]\n  |           ^^^^^^^^^^^^^^^^\n  = first used here:\n'
        f" ::: {name}:4:11\n  |\n"
        f'4 | listen = ["127.0.0.1:8000"]\n  |           ----------------\n  = hint: use another port\n'
    )


def test_colours_are_added_and_nothing_else(loaded: Loaded) -> None:
    colored = render(loaded.diagnostics, loaded.source, color=True)
    assert "\x1b[31;1m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(loaded.diagnostics, loaded.source, color=False)


def test_a_file_cannot_move_the_cursor(check: Any) -> None:
    loaded: Loaded = check('version = 1\n"\u009b\\u001b]0;x\\u0007" = 1\n')
    text = render(loaded.diagnostics, loaded.source, color=False)
    assert not any(ord(sign) < 32 and sign != "\n" for sign in text)
    assert "\x9b" not in text
    assert printable("a\x1bb\tc\u202e") == "a\ufffdb c\ufffd"


def test_wide_characters_and_long_lines_keep_the_caret_in_place(check: Any) -> None:
    loaded: Loaded = check("version = 1\n'日本' = 1\n")
    lines = render(loaded.diagnostics, loaded.source, color=False).split("\n")
    assert lines[4] == "  | ^^^^^^", "two columns for each wide character, one for each quote"
    loaded = check("version = 1\nx = [" + "1, " * 200 + "]\n[groups.a]\n" + " " * 150 + "bogus = 1\n")
    shown = render(loaded.diagnostics, loaded.source, color=False).split("\n")
    row = next(i for i, line in enumerate(shown) if "bogus = 1" in line)
    assert len(shown[row]) < 125
    assert shown[row].index("bogus") == shown[row + 1].index("^")


def test_the_summary_counts() -> None:
    def made(severity: Severity) -> Diagnostic:
        return Diagnostic("WG0101", severity, "x")

    error, warning, note = (made(severity) for severity in Severity)
    assert summary([], ["groups.toml"]) == "groups.toml is valid."
    assert summary([], ["a.toml", "b.toml"]) == "2 files are valid."
    assert summary([error, error, warning], ["a.toml", "b.toml"]) == "2 errors and 1 warning in 2 files"
    assert summary([error, warning, note], ["a.toml"]) == "1 error, 1 warning and 1 note in a.toml"


def test_json(loaded: Loaded) -> None:
    name = loaded.diagnostics[0].file
    document = json.loads(renderer("json")(loaded.diagnostics, [str(name)]))
    assert document["valid"] is False
    assert document["counts"] == {"error": 2, "warning": 1, "note": 1}
    assert document["diagnostics"][0] == {
        "code": "WG0201",
        "severity": "error",
        "message": 'unknown key "proceses" in a group',
        "file": name,
        "span": {"line": 5, "column": 1, "end_line": 5, "end_column": 9},
        "option": "groups.blog.proceses",
        "fix": None,
        "hint": 'did you mean "processes"?',
        "related": [],
    }
    assert document["diagnostics"][1]["related"][0]["span"]["line"] == 4


def test_github_annotations() -> None:
    item = Diagnostic("WG0101", Severity.NOTE, "100% of\nit", "a,b:c.toml", hint="x")
    assert renderer("github")([item], []) == ("::notice file=a%2Cb%3Ac.toml,title=WG0101::100%25 of%0Ait%0Ahint: x\n")
    assert renderer("github")([], []) == ""


def test_github_annotations_have_places(loaded: Loaded) -> None:
    first = renderer("github")(loaded.diagnostics, []).splitlines()[0]
    name = str(loaded.diagnostics[0].file).replace(":", "%3A").replace(",", "%2C")
    assert first.startswith(f"::error file={name},line=5,col=1,endLine=5,endColumn=9,title=WG0201::unknown key")


def test_gitlab_code_quality(loaded: Loaded) -> None:
    """The fields that GitLab documents: description, check_name, fingerprint, severity, location."""
    report = json.loads(renderer("gitlab")(loaded.diagnostics, []))
    assert [set(item) for item in report] == [{"description", "check_name", "fingerprint", "severity", "location"}] * 4
    assert {item["severity"] for item in report} <= {"info", "minor", "major", "critical", "blocker"}
    assert len({item["fingerprint"] for item in report}) == 4
    assert report[0]["location"]["lines"] == {"begin": 5}
    moved = json.loads(renderer("gitlab")([*loaded.diagnostics[1:]], []))
    assert moved[0]["fingerprint"] == report[1]["fingerprint"], "a finding keeps its identity when others go"


SCHEMA = Path(__file__).parents[2] / "support" / "schemas" / "sarif-2.1.0-rtm.5.json"
# what a URI reference may hold (RFC 3986, appendix A): nothing that is installed checks the "format" of the schema
URI = re.compile(r"(?:file:///)?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})+")


def sarif(text: str) -> Any:
    """The one run of a log that is valid by the schema of the standard."""
    log = json.loads(text)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft4Validator.check_schema(schema)
    jsonschema.Draft4Validator(schema).validate(log)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    for location in locations(run):
        uri = location["uri"]
        assert URI.fullmatch(uri), uri
    return run


def locations(value: Any) -> Iterator[dict[str, Any]]:
    """Every artifact location below a value."""
    if isinstance(value, dict):
        if "uri" in value:
            yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from locations(item)


def test_the_schema_is_the_one_that_is_described() -> None:
    note = (SCHEMA.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(SCHEMA.read_bytes()).hexdigest() in note
    assert SCHEMA.name in note


def test_the_schema_refuses_what_is_not_sarif(loaded: Loaded) -> None:
    """So that the tests below can fail."""
    log = json.loads(renderer("sarif")(loaded.diagnostics, []))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError):
        sarif(json.dumps(log))


def test_sarif_is_what_the_standard_says(loaded: Loaded) -> None:
    """Errors, warnings, notes and related places, valid by the schema of the standard; the values are ours."""
    run = sarif(renderer("sarif")(loaded.diagnostics, [str(loaded.diagnostics[0].file)]))
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted({d.code for d in loaded.diagnostics})
    for result, item in zip(run["results"], loaded.diagnostics, strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == item.code
        assert result["level"] == item.severity.value
        region = result["locations"][0]["physicalLocation"]["region"]
        assert item.span
        assert (region["startLine"], region["startColumn"]) == (item.span.line, item.span.column)
    assert run["results"][1]["relatedLocations"][0]["message"]["text"] == "first used here"


@pytest.mark.parametrize(
    "name", ["missing.toml", os.fsdecode(b"bytes\xff \xe2\x82\xac.toml"), 'a "b" <c> #?%[d].toml', "-"]
)
def test_sarif_of_files_that_are_not_there(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    loaded = load([Path(name)])
    assert [item.code for item in loaded.diagnostics] == ["WG0101"]
    run = sarif(renderer("sarif")(loaded.diagnostics, [source.name for source in loaded.sources]))
    (result,) = run["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert os.fsdecode(unquote_to_bytes(uri)) == ("stdin" if name == "-" else name)


@pytest.mark.parametrize("code", [code for code, entry in CODES.items() if entry.example])
def test_sarif_of_every_documented_example(check: Any, code: str) -> None:
    found: Loaded = check(example_document(CODES[code]), strict=CODES[code].strict_only)
    run = sarif(renderer("sarif")(found.diagnostics, []))
    assert code in {result["ruleId"] for result in run["results"]}


def test_sarif_without_a_finding_is_valid_too() -> None:
    assert sarif(renderer("sarif")([], ["/srv/good.toml"]))["results"] == []


def test_junit_has_a_case_for_every_file(loaded: Loaded) -> None:
    name = str(loaded.diagnostics[0].file)
    tree = ET.fromstring(renderer("junit")(loaded.diagnostics, [name, "good.toml"]))
    suite = tree.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert set(cases) == {name, "good.toml"}
    assert len(cases["good.toml"]) == 0
    failure = cases[name].find("failure")
    assert failure is not None
    assert "WG0201" in (failure.text or "")
    assert "WG0516" in (cases[name].findtext("system-out") or "")


@pytest.mark.parametrize("output", [name for name in FORMATS if name != "text"])
def test_odd_names_and_missing_places_do_no_harm(output: str) -> None:
    items = [
        Diagnostic("WG0101", Severity.ERROR, 'a"<&>\x1b', 'od"d <&> name\n.toml'),
        Diagnostic("WG0209", Severity.WARNING, "no file"),
        Diagnostic("WG0112", Severity.NOTE, "x", "<stdin>"),
    ]
    text = renderer(output)(items, ["a b.toml"])
    if output == "junit":
        ET.fromstring(text)
    elif output == "sarif":
        sarif(text)
    elif output not in ("github", "concise"):
        json.loads(text)
    assert renderer(output)([], []) is not None


@pytest.mark.parametrize("output", FORMATS[1:])
def test_names_are_bytes_and_reports_are_text(output: str) -> None:
    name = os.fsdecode(b"d:1/b\xff \xc3\xa4.toml")
    items = [
        Diagnostic(
            "WG0101",
            Severity.ERROR,
            f"cannot open {name}",
            name,
            hint=f"not {name}",
            related=(Related(f"first in {name}", name),),
            option=name,
        )
    ]
    text = renderer(output)(items, [name])
    text.encode("utf-8")
    if output == "sarif":
        run = sarif(text)
        (result,) = run["results"]
        found = [*run["artifacts"], result["locations"][0]["physicalLocation"]]
        found.append(result["relatedLocations"][0]["physicalLocation"])
        uris = [(item.get("location") or item["artifactLocation"])["uri"] for item in found]
        assert uris == ["d%3A1/b%FF%20%C3%A4.toml"] * 3
        assert os.fsdecode(unquote_to_bytes(uris[0])) == name
        assert result["message"]["text"].startswith(r"cannot open d:1/b\xff ä.toml")
    elif output in ("json", "gitlab"):
        assert r"d:1/b\\xff ä.toml" in text
    else:
        assert r"/b\xff ä.toml" in text
