"""A report in a real browser: what it takes on paper, on a phone, and for a reader who cannot see it."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from cohorts import FAST
from exoclassify.lifecycle.fit import fit
from exoclassify.report.training import training_report
from serving import cohort

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="chromium and chromedriver are not installed (Debian: chromium chromium-driver)",
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a model of three states in two batches, the longest there is."""
    bundle = fit(cohort(), FAST, n_jobs=1, name="pain")
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(training_report(bundle.about, bundle.panel.molecules).html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield started
    started.quit()


def asked(browser: webdriver.Chrome, script: str) -> Any:
    return browser.execute_script(f"return {script}")  # type: ignore[no-untyped-call]


def test_it_is_printed_on_eight_pages_at_most(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    assert 2 <= len(re.findall(rb"/Type\s*/Page[^s]", base64.b64decode(printed["data"]))) <= 8


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_scrolls_sideways(browser: webdriver.Chrome, page: Path, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    asked(browser, "document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert asked(browser, "document.documentElement.scrollWidth") <= width
    if width == 390:
        wide = (
            "[...document.querySelectorAll('.scroll')].filter((each) => each.scrollWidth > each.clientWidth + 1).length"
        )
        assert asked(browser, wide) == 0


def test_the_verdict_stands_on_the_first_screen(browser: webdriver.Chrome, page: Path) -> None:
    metrics = {"width": 1200, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    assert asked(browser, "document.querySelector('.lead').getBoundingClientRect().bottom") < 900
