"""A browser without a screen: Chromium, as its driver moves it. Nothing of it reaches any other machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from support.looking import wait

# The sandbox is for pages of strangers, and containers often do not allow it; here there are only the project's own.
_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"),
    *("--disable-extensions", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)


class Browser:
    """One window."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def text(self, selector: str) -> str:
        """Return what an element shows, "" where there is none."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return str(found[0].text) if found else ""

    def element(self, selector: str) -> WebElement:
        """Return the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector: str) -> None:
        """Click at an element, as soon as it can be."""
        self.until(lambda: self.element(selector).is_displayed())
        self.element(selector).click()

    def press(self, *keys: str) -> None:
        """Press keys where the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        """Return the text of what has the focus."""
        return str(self.driver.switch_to.active_element.text)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a function's body returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def until(self, fact: Callable[[], object]) -> Any:
        """Wait for something; return it."""
        return wait(fact, lambda: f"never:\n{self.text('body')}\n{self.messages()}")

    def messages(self) -> list[str]:
        """Return what the page has complained of since the last time."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]


@contextmanager
def browser() -> Iterator[Browser]:
    """Open a browser with a profile of its own. It takes seconds to start: one for all tests of a module."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "chromium is missing: apt-get install chromium"
    assert chromedriver, "chromedriver is missing: apt-get install chromium-driver"
    with tempfile.TemporaryDirectory(prefix="wg-browser-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in (*_QUIET, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = Chrome(options, ChromeService(chromedriver, env={**os.environ, "HOME": profile}))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


@contextmanager
def window(opened: Browser, *, dark: bool = False, width: int = 1280, height: int = 1000) -> Iterator[Browser]:
    """Open an empty tab with nothing of those before; all tabs but one empty one are closed at the end."""
    driver = opened.driver
    (kept,) = driver.window_handles
    driver.switch_to.new_window("tab")
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        opened.messages()
        yield opened
    finally:
        for handle in driver.window_handles:
            if handle != kept:
                driver.switch_to.window(handle)
                driver.close()
        driver.switch_to.window(kept)
