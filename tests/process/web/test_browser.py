"""The dashboard in a browser: what people see, click and type."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, browser
from support.browser import window as opened_window
from support.dashboards import (
    EVIL,
    DashboardInThread,
    PlayedSource,
    death_of,
    event_of,
    group_shown,
    process_of,
)

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.web import looking

pytestmark = pytest.mark.needs("chromium", "chromedriver")
PICTURES = os.environ.get("WSGIGROUPS_PICTURES", "")  # a directory for pictures that somebody wants to look at
LEGACY_ERROR = {"message": EVIL, "traceback": f"Traceback (most recent call last):\n  {EVIL}"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PERIOD_S", 0.1)


@pytest.fixture
def source() -> PlayedSource:
    found = PlayedSource()
    stopped = {"processes_ready": 0, "requests_per_s": None, "application_p99_s": None, "requests_active": 0}
    waiting = process_of(1, 9, pid=None, state="backoff", pss_bytes=0, retry_in_s=4.0, last_exit=EVIL)
    found.groups = [
        group_shown("blog", requests_per_s=9.5, listen=["127.0.0.1:8001"]),
        group_shown("legacy", state="failed", last_error=LEGACY_ERROR, restarts=6, processes=[waiting], **stopped),
        group_shown("shop", processes=[process_of(1, 3), process_of(2, 4)], processes_ready=2, processes_wanted=2),
    ]
    found.journal = [event_of(1), event_of(2, "died", text=EVIL), event_of(3, group="blog")]
    found.dead = [death_of(1), death_of(2, cause="recycled", asked=True, requests=[])]
    found.busy = [{"thread": 2, "asked": "GET /report", "age_s": 12.3, "frame": {"place": EVIL, "function": "report"}}]
    found.log = [f"2026-01-31T09:12:04.{number:03}Z shop/1 life=3 pid=4703 info: {EVIL}" for number in range(50)]
    return found


@pytest.fixture
def shown(source: PlayedSource) -> Iterator[DashboardInThread]:
    with DashboardInThread(source, acts=True, always=True) as found:
        yield found
    assert not found.logged


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def window(chromium: Browser, shown: DashboardInThread) -> Iterator[Browser]:
    with opened_window(chromium) as found:
        found.driver.get(shown.link())
        found.until(lambda: "3 groups" in found.text("#summary"))
        yield found
        assert found.driver.title == "wsgigroups", "no text of a tenant has become markup"
        assert found.run("return document.images.length") == 0


def picture(window: Browser, name: str) -> None:
    if PICTURES:
        window.driver.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def rows(window: Browser) -> list[str]:
    script = "return [...document.querySelectorAll('#group-table tr:has(.name)')].map((row) => row.innerText)"
    return [str(text).replace("\t", " ").replace("\n", " ") for text in window.run(script)]


def label(window: Browser) -> str:
    return str(window.run("return document.querySelector('#charts svg')?.getAttribute('aria-label') ?? ''"))


def names(window: Browser) -> list[str]:
    return [text.split()[0] for text in rows(window)]


def test_one_look_says_who_is_in_trouble_and_why(window: Browser) -> None:
    assert window.text("#summary") == "3 groups: 1 failed, 2 ready"
    assert names(window) == ["legacy", "blog", "shop"], "the worst first"
    first = rows(window)[0]
    assert "✗ failed" in first
    assert window.text("#group-table .why").startswith("<img src=x")
    assert "http://127.0.0.1:8001" in rows(window)[1]
    window.until(lambda: "died" in window.text("#events"))
    window.until(lambda: label(window).startswith("Requests a second: now 12"))
    picture(window, "groups")
    assert window.messages() == []


def test_the_address_has_no_token_and_the_link_is_used_up(window: Browser, shown: DashboardInThread) -> None:
    link = shown.link()
    assert "token" not in window.driver.current_url
    assert window.run("return document.cookie") == ""
    window.driver.refresh()
    window.until(lambda: "3 groups" in window.text("#summary"))
    first = window.driver.current_window_handle
    window.driver.switch_to.new_window("tab")
    second = window.driver.current_window_handle
    window.driver.get(f"http://127.0.0.1:{shown.port}/")
    window.until(lambda: "This tab has none" in window.text("#outside"))
    window.driver.get(link)
    window.until(lambda: "3 groups" in window.text("#summary"))
    window.driver.switch_to.window(first)
    window.driver.refresh()
    window.until(lambda: "3 groups" in window.text("#summary"))
    window.driver.switch_to.window(second)
    window.click("#leave")
    window.until(lambda: "The session has ended" in window.text("#outside"))
    window.driver.get("about:blank")
    window.driver.get(link)
    window.until(lambda: "this link was used" in window.text("#outside"))


def test_a_group_is_opened_with_all_that_is_known_of_it(window: Browser) -> None:
    window.run("document.querySelectorAll('#group-table .name')[2].click()")
    window.until(lambda: "shop/2" in window.text("#process-table"))
    assert window.text("#group-title") == "shop"
    processes = window.text("#process-table")
    assert "pid 4703, life 3" in processes
    assert "thread 2, for 12.3s: GET /report" in processes
    assert "DATABASE_URL" in window.text("#facts")
    window.until(lambda: "2026-01-31T09:12:04.049Z" in window.text("#log"))
    assert "crashed" in window.text("#deaths")
    assert "recycled" in window.text("#deaths")
    window.until(lambda: window.run("return document.getElementById('log').scrollTop") > 0)
    picture(window, "group")
    window.click("#close")
    window.until(lambda: not window.element("#group").is_displayed())
    assert window.focused() == "shop"
    assert window.messages() == []


def test_it_can_be_used_with_keys_alone(window: Browser) -> None:
    window.press("/")
    assert window.run("return document.activeElement.id") == "filter"
    window.press("o")
    window.until(lambda: names(window) == ["blog", "shop"])
    window.run("document.querySelector('#group-table .name').focus()")
    window.press("\ue015")  # down
    assert window.focused() == "shop"
    window.press("\ue013")  # up
    assert window.focused() == "blog"
    window.press("\ue007")  # enter
    window.until(lambda: window.text("#group-title") == "blog")
    assert window.run("return document.activeElement.id") == "group"
    window.press("\ue00c")  # escape
    window.until(lambda: not window.element("#group").is_displayed())
    assert window.focused() == "blog"


def test_the_browser_leads_back_from_a_group(window: Browser, shown: DashboardInThread) -> None:
    window.until(lambda: "blog/1" in window.text("#events"))
    window.click("#group-table .name")
    window.until(lambda: window.text("#group-title") == "legacy")
    window.until(lambda: window.text("#state").startswith("✗ failed: <img src=x"))
    window.driver.back()
    window.until(lambda: len(rows(window)) == 3)
    assert not window.element("#group").is_displayed()
    window.driver.forward()
    window.until(lambda: window.text("#group-title") == "legacy")
    window.driver.refresh()
    window.until(lambda: "backoff" in window.text("#process-table"))
    assert window.element("#restart").is_displayed()
    window.press("/")
    assert window.run("return document.activeElement.id") == "filter"
    assert window.driver.current_url == f"http://127.0.0.1:{shown.port}/"


def test_the_first_tab_leads_past_the_head(window: Browser) -> None:
    window.click("#group-table .name")
    window.until(lambda: window.text("#group-title") == "legacy")
    window.driver.refresh()
    window.until(lambda: window.text("#group-title") == "legacy")
    window.press("\ue004")  # tab
    assert window.focused() == "Skip to what runs"
    window.press("\ue007")  # enter
    window.until(lambda: window.run("return document.activeElement.id") == "inside")
    assert window.text("#group-title") == "legacy"


def test_a_group_has_its_own_events_and_log(window: Browser, source: PlayedSource) -> None:
    window.until(lambda: "blog/1" in window.text("#events"))
    source.log[:] = ["of the first"]
    window.run("document.querySelectorAll('#group-table .name')[2].click()")
    window.until(lambda: window.text("#log") == "of the first")
    window.until(lambda: window.text("#events-title") == "Events of shop")
    assert "died" in window.text("#events")
    assert "blog" not in window.text("#events")
    window.click("#close")
    window.run("document.querySelectorAll('#group-table .name')[0].click()")
    window.until(lambda: window.text("#group-title") == "legacy")
    assert window.element("#no-events").is_displayed()
    assert window.text("#log") == ""
    window.until(lambda: source.opened[0].closed)  # else it takes the line
    source.log.append("of the second")
    window.until(lambda: window.text("#log") == "of the second")
    window.click("#close")
    assert "blog/1" in window.text("#events")


def test_a_page_asks_at_most_once_a_second(window: Browser, source: PlayedSource) -> None:
    window.run("document.querySelectorAll('#group-table .name')[2].click()")
    looks = source.looks
    window.until(lambda: source.looks > looks + 20)  # ten of them come in a second
    asked = (
        "return performance.getEntriesByType('resource').map((one) => [new URL(one.name).pathname, one.startTime])"
        ".filter(([path]) => path.startsWith('/v1/'))"
    )
    window.until(lambda: sum(path == "/v1/groups/shop" for path, _at in window.run(asked)) >= 5)
    found = window.run(asked)
    times = [at for path, at in found if path == "/v1/groups/shop"]
    assert len(times) - 1 <= (times[-1] - times[0]) / 1000 + 1, "with a second for a machine that is busy"
    assert sum(path == "/v1/charts" for path, _at in found) == 2, "of all groups, and of this one"


def test_groups_are_sorted_as_asked_and_say_so(window: Browser) -> None:
    heads = window.driver.find_elements("css selector", "#group-table th")
    heads[0].find_element("tag name", "button").click()
    assert names(window) == ["blog", "legacy", "shop"]
    assert heads[0].get_attribute("aria-sort") == "ascending"
    heads[0].find_element("tag name", "button").click()
    assert names(window) == ["shop", "legacy", "blog"]
    assert heads[0].get_attribute("aria-sort") == "descending"
    assert heads[2].get_attribute("aria-sort") is None
    heads[6].find_element("tag name", "button").click()
    assert names(window) == ["blog", "shop", "legacy"], "the greatest rate first"


def test_what_changes_something_asks_first(window: Browser, source: PlayedSource) -> None:
    window.run("document.querySelectorAll('#group-table .name')[2].click()")
    window.click("#restart")
    assert "Restart shop? Its 2 processes" in window.text("#question")
    picture(window, "question")
    window.press("\ue00c")
    window.until(lambda: not window.element("#question").is_displayed())
    window.click("#restart")
    window.click("#question button[value=no]")
    assert source.acted == []
    window.click("#restart")
    window.click("#question button[value=yes]")
    window.until(lambda: "failed" in window.text("#outcome"))
    assert source.acted == [("restart", {"groups": ["shop"]})]
    assert "<img" in window.text("#outcome")
    window.click("#scale")
    number = window.element("#number")
    number.clear()
    number.send_keys("5")
    window.click("#question button[value=yes]")
    window.until(lambda: len(source.acted) == 2)
    assert source.acted[1] == ("scale", {"processes": {"shop": 5}})


def test_a_page_that_only_shows_has_nothing_to_press(chromium: Browser, source: PlayedSource) -> None:
    with DashboardInThread(source) as shown, opened_window(chromium) as window:
        window.driver.get(shown.link())
        window.until(lambda: "3 groups" in window.text("#summary"))
        window.click("#group-table .name")
        window.until(lambda: window.text("#group-title"))
        assert not window.element("#restart").is_displayed()
        assert not window.element("#scale").is_displayed()


def test_what_was_seen_stays_while_nobody_answers(window: Browser, source: PlayedSource) -> None:
    source.error = WsgigroupsError("cannot reach a manager", exit_code=ExitCode.NO_MANAGER)
    window.until(lambda: "cannot reach a manager" in window.text("#trouble"))
    assert len(rows(window)) == 3
    picture(window, "trouble")
    source.error = None
    source.groups = source.groups[:1]
    window.until(lambda: names(window) == ["blog"])
    assert not window.element("#trouble").is_displayed()


def test_dark_and_narrow(chromium: Browser, shown: DashboardInThread) -> None:
    with opened_window(chromium, dark=True, width=400) as window:
        window.driver.get(shown.link())
        window.until(lambda: "3 groups" in window.text("#summary"))
        ground = window.run("return getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(18, 22, 28)"
        window.click("#group-table .name")
        window.until(lambda: "backoff" in window.text("#process-table"))
        wide = window.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "the page itself does not move sideways"
        picture(window, "dark")


@pytest.mark.parametrize("dark", [False, True])
def test_texts_can_be_read_and_everything_has_a_name(chromium: Browser, shown: DashboardInThread, dark: bool) -> None:
    with opened_window(chromium, dark=dark) as window:
        window.driver.get(shown.link())
        window.until(lambda: "3 groups" in window.text("#summary"))
        window.click("#group-table .name")
        window.until(lambda: "backoff" in window.text("#process-table"))
        poor = window.run(CONTRAST)
        assert poor == []
        unnamed = window.run(
            "return [...document.querySelectorAll('button, input, table th, svg[role=img], [role=region]')]"
            ".filter((one) => one.checkVisibility() && !(one.innerText || one.getAttribute('aria-label')"
            " || one.getAttribute('aria-labelledby') || one.labels?.length)).map((one) => one.outerHTML)"
        )
        assert unnamed == []


# WCAG 2.2, 1.4.3: 4.5 to 1, of each text that is shown, on the ground that it is on.
CONTRAST = """
const part = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const poor = [];
for (const one of document.querySelectorAll('body *')) {
  const said = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!said || !one.checkVisibility()) continue;
  let ground = null;
  for (let at = one; at && !ground; at = at.parentElement) {
    const color = numbers(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) ground = color;
  }
  const [a, b] = [light(numbers(getComputedStyle(one).color)), light(ground ?? [255, 255, 255])].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${one.tagName} ${one.textContent.slice(0, 40)}`);
}
return poor;
"""
