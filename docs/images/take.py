"""Takes the pictures of docs/dagster.md anew: `fraudlake up --ui`, some traffic, then this.

Example: python docs/images/take.py http://127.0.0.1:3000

Needs Debian's chromium and chromium-driver, and `pip install selenium==4.51.0`; nothing else here
does.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

FOLDER = Path(__file__).parent
LOAD_SECONDS = 60.0
STILL_SECONDS = 2.0
"""A page that has not changed for so long has drawn what it has."""
TRAFFIC = (
    "ops:\n  send:\n    config:\n      rate: 200.0\n      count: 6000\n      fraud_rate: 0.01\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One page, as large as what it tells."""

    name: str
    path: str
    shows: str
    """Text without which it is not complete."""
    size: tuple[int, int] = (1440, 1100)
    types: str = ""
    """What stands in its editor."""


PICTURES = (
    Picture(name="dagster-graph", path="/asset-groups", shows="lakehouse", size=(1600, 800)),
    Picture(
        name="dagster-traffic",
        path="/locations/fraudlake/jobs/send_traffic/playground",
        shows="Launch Run",
        size=(1300, 800),
        types=TRAFFIC,
    ),
    Picture(name="dagster-job", path="/assets/flink/fraud_detection", shows="rule set"),
    Picture(name="dagster-decisions", path="/assets/iceberg/decisions", shows="Row count"),
    Picture(name="dagster-sink", path="/assets/sinks/lakehouse", shows="process"),
)


def main(address: str) -> None:
    """Each picture, beside this file."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    # Named, so that none is looked for in the network.
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        for picture in PICTURES:
            take(browser, address, picture)
            print(FOLDER / f"{picture.name}.png")
    finally:
        browser.quit()


def take(browser: webdriver.Chrome, address: str, picture: Picture) -> None:
    browser.set_window_size(*picture.size)
    browser.get(f"{address}{picture.path}")
    await_still(browser)
    if picture.types:
        editor = "document.querySelector('.CodeMirror').CodeMirror"
        browser.execute_script(f"{editor}.setValue(arguments[0])", picture.types)
    WebDriverWait(browser, LOAD_SECONDS).until(lambda _: picture.shows in read_text(browser))
    await_still(browser)
    browser.save_screenshot(str(FOLDER / f"{picture.name}.png"))


def await_still(browser: webdriver.Chrome) -> None:
    """Until the text of the page has stayed the same for a while."""
    seen, since = "", time.monotonic()
    deadline = since + LOAD_SECONDS
    while time.monotonic() - since < STILL_SECONDS and time.monotonic() < deadline:
        text = read_text(browser)
        if text != seen:
            seen, since = text, time.monotonic()
        time.sleep(0.2)


def read_text(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.body.innerText"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
