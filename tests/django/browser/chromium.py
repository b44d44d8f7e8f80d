"""A headless Chromium, used as a person uses one: what is seen is found, clicked, typed into."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["SCREENS", "BrowserNotFound", "Chromium", "Keys"]

PATIENCE = 30.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENS = {"desktop": (1280, 800), "tablet": (800, 1100), "phone": (390, 844)}


class BrowserNotFound(RuntimeError):
    """A program that is needed is not installed."""


def find_program(variable: str, *names: str) -> str:
    """The path of what an environment variable names, or else of what is on ``PATH``."""
    named = os.environ.get(variable)
    for name in [named] if named else names:
        found = shutil.which(name)
        if found:
            return found
    raise BrowserNotFound(
        f"no {named or names[0]} was found: set {variable} to the path of one, or install Chromium and its driver "
        "(on Debian: apt-get install --no-install-recommends chromium chromium-driver)"
    )


class Chromium:
    """A browser with a fresh profile.

    Args:
        profile: An empty folder.
        pictures: Where pictures of pages are put.
    """

    def __init__(self, profile: Path, pictures: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = find_program("HUEY_TEST_CHROMIUM", "chromium", "chromium-browser", "google-chrome")
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = find_program("HUEY_TEST_CHROMEDRIVER", "chromedriver")
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self.pictures = pictures
        self.look = ""

    def begin(self, screen: str, scheme: str) -> None:
        """Be somebody who was never here, with one of the :data:`SCREENS`, who prefers a colour scheme."""
        self.driver.delete_all_cookies()
        self.complaints()
        width, height = SCREENS[screen]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == "phone"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.look = f"{screen}-{scheme}"

    def open(self, url: str) -> None:
        """Go to an address."""
        self.driver.get(url)

    def find(self, text: str, tag: str = "*") -> WebElement:
        """The first element of the page's main part that shows a text, once there is one."""
        path = f"//main//{tag}[contains(normalize-space(), '{text}')]"

        def first(driver: Any) -> WebElement | None:
            return next((each for each in driver.find_elements(By.XPATH, path) if each.is_displayed()), None)

        return self._wait(first, f"no {tag} with {text!r} is on {self.driver.current_url}")

    def click(self, text: str, tag: str = "button") -> None:
        """Click on what shows a text, and wait for the page that follows."""
        self.leave_by(self.find(text, tag).click)

    def leave_by(self, action: Callable[[], Any]) -> None:
        """Do something that leads to another page, and wait until this one is gone."""
        page, url = self._page(), self.driver.current_url
        action()
        # While a page goes away the driver may answer with any error, so only an answer of the next one counts.
        wait = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[WebDriverException])
        wait.until(lambda _: self._page() != page, f"{url} was not left")

    def fill(self, name: str, text: str) -> WebElement:
        """Type into a field."""
        field = self.driver.find_element(By.NAME, name)
        field.send_keys(text)
        return field

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> WebElement:
        """The element that the keyboard is for."""
        return self.driver.switch_to.active_element

    def text(self) -> str:
        """All that can be read on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        script = "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
        return int(self.driver.execute_script(script))

    def complaints(self) -> list[str]:
        """Errors and warnings in the console since the last call."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] in {"SEVERE", "WARNING"}]

    def take_picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        (self.pictures / f"{self.look}-{name}.png").write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def _page(self) -> float:
        """What tells a page from every other, and from itself after it was loaded anew: when its loading began."""
        return float(self.driver.execute_script("return performance.timeOrigin"))

    def _wait(self, condition: Callable[[Any], Any], otherwise: str) -> Any:
        return WebDriverWait(self.driver, PATIENCE).until(condition, otherwise)
