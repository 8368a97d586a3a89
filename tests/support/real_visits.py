"""What somebody does who visits those applications: reads pages, uploads, commits, logs in. Each raises if it fails.

Runs in pytest's process; Mercurial's own client is a process.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import re
import urllib.parse
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.real_applications import Environment

_HUNG_S = 60.0
_EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:meeting
DTSTAMP:20300101T000000Z
DTSTART:20300101T100000Z
DTEND:20300101T110000Z
SUMMARY:Meeting
END:VEVENT
END:VCALENDAR
"""


@dataclass(frozen=True)
class Page:
    """A response."""

    status: int
    text: str
    body: bytes
    fields: Mapping[str, str]


@dataclass
class Browser:
    """Connections to one application, with the cookies that it has set."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, path: str, *, method: str = "GET", body: str | bytes | None = None, expect: int = 200, **fields: str
    ) -> Page:
        """Return the answer, whose status must be as expected. fields: with `_` for `-`."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_HUNG_S)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", []):
            name, _equals, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = content.decode("utf-8", "replace")
        assert response.status == expect, (method, path, response.status, text[-2000:])
        return Page(response.status, text, content, dict(response.getheaders()))

    def form(self, path: str, values: Mapping[str, str], *, expect: int = 302) -> Page:
        """Send a form."""
        kind = "application/x-www-form-urlencoded"
        return self.ask(path, method="POST", body=urllib.parse.urlencode(values), expect=expect, Content_Type=kind,
                        Referer=f"http://127.0.0.1:{self.port}{path}")  # fmt: skip


def _wheel() -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("sample/__init__.py", "")
            archive.writestr("sample-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n")
        return file.getvalue()


def visit_pypiserver(port: int, _environment: Environment, _data: Path) -> None:
    """Upload a wheel as twine does, find it in the index, download it."""
    browser, wheel = Browser(port), _wheel()
    assert "pypiserver" in browser.ask("/").text
    name = "sample-1.0-py3-none-any.whl"
    fields = {":action": "file_upload", "name": "sample", "version": "1.0", "filetype": "bdist_wheel",
              "sha256_digest": hashlib.sha256(wheel).hexdigest()}  # fmt: skip
    body = b"".join(
        f'--border\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    )
    body += f'--border\r\nContent-Disposition: form-data; name="content"; filename="{name}"\r\n\r\n'.encode()
    browser.ask("/", method="POST", body=body + wheel + b"\r\n--border--\r\n",
                Content_Type="multipart/form-data; boundary=border")  # fmt: skip
    assert "sample" in browser.ask("/simple/").text
    assert name in browser.ask("/simple/sample/").text
    assert browser.ask(f"/packages/{name}").body == wheel


def visit_radicale(port: int, _environment: Environment, _data: Path) -> None:
    """Make a calendar, put a meeting into it, find it, remove it."""
    browser = Browser(port)
    login = {"Authorization": "Basic c29tZWJvZHk6"}  # somebody, without a password
    calendar = "/somebody/calendar/"
    browser.ask("/", expect=302)
    assert "Radicale" in browser.ask("/.web/").text
    browser.ask("/somebody/", method="PROPFIND", expect=207, Depth="1", **login)
    browser.ask(calendar, method="MKCALENDAR", expect=201, **login)
    browser.ask(calendar + "meeting.ics", method="PUT", body=_EVENT, expect=201, Content_Type="text/calendar", **login)
    assert "SUMMARY:Meeting" in browser.ask(calendar + "meeting.ics", **login).text
    query = (
        '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>'
        '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    report = browser.ask(calendar, method="REPORT", body=query, expect=207, Depth="1", **login)
    assert "meeting.ics" in report.text
    browser.ask(calendar + "meeting.ics", method="DELETE", expect=200, **login)
    browser.ask(calendar + "meeting.ics", expect=404, **login)
    browser.ask(calendar, method="DELETE", expect=200, **login)


def visit_hgweb(port: int, environment: Environment, data: Path) -> None:
    """Read pages and an archive; clone, commit and push with Mercurial itself."""
    browser = Browser(port)
    assert "project" in browser.ask("/").text
    assert "first" in browser.ask("/project/").text
    assert browser.ask("/project/raw-file/tip/README").body == b"a project\n"
    with zipfile.ZipFile(io.BytesIO(browser.ask("/project/archive/tip.zip").body)) as archive:
        assert any(name.endswith("/README") for name in archive.namelist())
    copy = str(data / "copy")
    environment.hg("clone", f"http://127.0.0.1:{port}/project", copy, data=data)
    Path(copy, "NEWS").write_text("news\n")
    environment.hg("-R", copy, "commit", "-A", "-m", "second", "-u", "somebody", data=data)
    environment.hg("-R", copy, "push", data=data)
    assert browser.ask("/project/raw-file/tip/NEWS").body == b"news\n"


def visit_trac(port: int, _environment: Environment, _data: Path) -> None:
    """Read the wiki, a style sheet, the timeline, a query and what a search finds."""
    browser = Browser(port)
    assert "Welcome to Trac" in browser.ask("/wiki").text
    assert browser.ask("/chrome/common/css/trac.css").fields["Content-Type"].startswith("text/css")
    for path in ("/timeline", "/roadmap", "/query", "/report"):
        assert "Project" in browser.ask(path).text
    assert "WikiFormatting" in browser.ask("/search?q=formatting&wiki=on&noquickjump=1").text
    browser.ask("/wiki/NoSuchPage", expect=404)


def visit_dash(port: int, _environment: Environment, _data: Path) -> None:
    """Load what a browser loads, and type a name."""
    browser = Browser(port)
    page = browser.ask("/").text
    scripts = re.findall(r'<script src="(/_dash-component-suites/[^"]+)"', page)
    assert scripts
    for script in scripts[:3]:
        assert len(browser.ask(script).body) > 1000
    assert "Visits" in browser.ask("/_dash-layout").text
    (dependency,) = json.loads(browser.ask("/_dash-dependencies").body)
    assert dependency["output"] == "greeting.children"
    change = {
        "output": "greeting.children", "outputs": {"id": "greeting", "property": "children"},
        "inputs": [{"id": "name", "property": "value", "value": "Ada"}], "changedPropIds": ["name.value"],
    }  # fmt: skip
    answer = browser.ask("/_dash-update-component", method="POST", body=json.dumps(change),
                         Content_Type="application/json")  # fmt: skip
    assert json.loads(answer.body)["response"]["greeting"]["children"] == "Hello, Ada"


def visit_wagtail(port: int, _environment: Environment, _data: Path) -> None:
    """Read the site, load a style sheet through WhiteNoise, log in as its editor, look at the pages."""
    browser = Browser(port)
    browser.ask("/")
    login = browser.ask("/admin/login/").text
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', login)
    assert sheets
    sheet = browser.ask(sheets[0], Accept_Encoding="gzip")
    assert "max-age=315360000" in sheet.fields["Cache-Control"]  # a name with a digest is for ever
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', login)
    assert token
    browser.form("/admin/login/", {"csrfmiddlewaretoken": token[1], "username": "editor", "password": "of no value",
                                   "next": "/admin/"})  # fmt: skip
    assert "editor" in browser.ask("/admin/").text
    assert "Pages" in browser.ask("/admin/pages/", expect=200).text
    browser.ask("/no-such-page/", expect=404)
