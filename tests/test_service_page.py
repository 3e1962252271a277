"""The page in a real browser: headless Chromium, driven as a person would."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from exoclassify.model.bundle import ModelBundle
from exoclassify.simulation.simulate import simulate
from service.keys import new_key
from serving import Running, cohort, registry, running
from waiting import PATIENCE, until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.service,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="chromium and chromedriver are not installed (Debian: chromium chromium-driver)",
    ),
]

TABLE = cohort().cargo
PICTURES = os.environ.get("PAGE_PICTURES")  # a folder: keep what was seen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelBundle]:
    root = tmp_path_factory.mktemp("models")
    return root, registry(root, "1.0.0")[1]["1.0.0"]


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    return new_key("tester")


@pytest.fixture(scope="module")
def service(
    made: tuple[Path, ModelBundle], key: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with running(made[0], tmp_path_factory.mktemp("service"), api_keys=key[1], studies=1) as started:
        yield started


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from the file AXE_JS or fetched with npm; nothing of it is kept in the repository."""
    if given := os.environ.get("AXE_JS"):
        return Path(given).read_text()
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("axe")
    if npm is None:
        pytest.skip("axe-core: give its axe.min.js as AXE_JS, or install npm")
    done = subprocess.run([npm, "pack", "axe-core@4"], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        pytest.skip("axe-core could not be fetched with npm")
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        source = packed.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path_factory.mktemp("downloads"))})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    yield started
    started.quit()


def wait(holds: Callable[[], Any]) -> Any:
    def look() -> Any:
        with suppress(WebDriverException):
            return holds()

    return until(look)


def one(browser: webdriver.Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def text_of(browser: webdriver.Chrome, selector: str) -> str:
    return str(one(browser, selector).text)


def press(browser: webdriver.Chrome, *keys: str) -> None:
    """Press keys where the focus is."""
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def picture(browser: webdriver.Chrome, name: str) -> None:
    if PICTURES:
        height = browser.execute_script("return document.documentElement.scrollHeight")  # type: ignore[no-untyped-call]
        browser.set_window_size(browser.get_window_size()["width"], min(height + 150, 3000))
        browser.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def opened(browser: webdriver.Chrome, service: Running, key: str, *, width: int = 1100, scheme: str = "light") -> None:
    """Open the page at a width and give it its key."""
    browser.set_window_size(width, 900)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(f"http://localhost:{service.port}/")
    wait(lambda: one(browser, "#key").is_displayed())
    one(browser, "#key").send_keys(key, Keys.ENTER)
    wait(lambda: "pain 1.0.0 answers" in text_of(browser, "#model"))


def test_a_table_is_answered_with_bars_sets_flags_and_reasons(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], made: tuple[Path, ModelBundle], tmp_path: Path
) -> None:
    opened(browser, service, key[0])
    assert "not for use on patients" in text_of(browser, "#notice")
    picture(browser, "start")
    frame = TABLE.to_frame()
    frame.iloc[1, :60] = float("nan")
    frame.iloc[:60].to_csv(tmp_path / "table.csv")
    one(browser, "#file").send_keys(str(tmp_path / "table.csv"))
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    expected = made[1].predict(type(TABLE).from_frame(frame.iloc[:60], kind="mirna", unit="counts"))
    first = browser.find_elements(By.CSS_SELECTOR, "#results .call")
    told = [item.text == "uncertain" for item in first]
    assert told == sorted(told, reverse=True)  # uncertain first
    Select(one(browser, "#sort")).select_by_value("file")
    samples = browser.find_elements(By.CSS_SELECTOR, "#results .sample")
    assert len(samples) == 50  # the rest on demand
    for i, item in enumerate(samples[:5]):
        assert item.find_element(By.TAG_NAME, "h3").text == TABLE.sample_ids[i]
        assert item.find_element(By.CSS_SELECTOR, ".call").text == expected.calls[i]
        labels = [bar.get_attribute("aria-label") for bar in item.find_elements(By.CSS_SELECTOR, ".bar:not(.mover)")]
        best = expected.states[int(expected.probabilities[i].argmax())]
        assert str(labels[0]).startswith(f"{best}: ")
        inside = {str(label).split(":")[0] for label in labels if "in the prediction set" in str(label)}
        assert inside == {s for s, held in zip(expected.states, expected.sets[i], strict=True) if held}
    assert "Too little of the panel was measured, or with too few reads" in samples[1].text
    assert "untrusted" in str(samples[1].get_attribute("class"))
    assert all(
        "cannot be trusted" in str(bar.get_attribute("aria-label"))
        for bar in samples[1].find_elements(By.CSS_SELECTOR, ".bar:not(.mover)")
    )
    samples[0].find_element(By.CSS_SELECTOR, ".why summary").click()
    assert len(wait(lambda: samples[0].find_elements(By.CSS_SELECTOR, ".mover"))) == 8
    one(browser, "#about summary").click()
    assert "How it was judged" in text_of(browser, "#card")
    picture(browser, "answers")
    one(browser, "#more").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#results .sample")) == 60
    assert not one(browser, "#more").is_displayed()
    one(browser, "#search").send_keys(TABLE.sample_ids[7])
    assert [item.text for item in browser.find_elements(By.CSS_SELECTOR, "#results h3")] == [TABLE.sample_ids[7]]
    one(browser, "#search").clear()
    one(browser, "#search").send_keys(" ")
    Select(one(browser, "#filter")).select_by_value("!")
    assert TABLE.sample_ids[1] in text_of(browser, "#results")


def test_example_data_answers_with_one_click_and_the_session_remembers_it(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], made: tuple[Path, ModelBundle]
) -> None:
    opened(browser, service, key[0])
    one(browser, "#example").click()
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    assert text_of(browser, "#summary").startswith(f"example.csv: {len(made[1].golden)} samples: ")
    Select(one(browser, "#unit")).select_by_value("ct")
    assert "cannot answer for mirna as ct" in text_of(browser, "#fits")
    one(browser, "#example").click()
    wait(lambda: "counts" in text_of(browser, "#error") and "ct" in text_of(browser, "#error"))
    browser.refresh()
    wait(lambda: one(browser, "#key").is_displayed())
    assert "example.csv" in text_of(browser, "#past")
    one(browser, "#past button").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#results .sample")) == len(made[1].golden)


def test_a_sheet_to_print_holds_one_sample_and_what_a_record_needs(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str]
) -> None:
    opened(browser, service, key[0])
    one(browser, "#example").click()
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    browser.execute_script("window.print = () => {}")  # type: ignore[no-untyped-call]
    one(browser, "#results .print").click()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = one(browser, "body").text
    browser.execute_script("dispatchEvent(new Event('afterprint'))")  # type: ignore[no-untyped-call]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert shown.startswith("Sample example-")
    for told in ("pain 1.0.0 answers", "File: example.csv", "Answered as from: unknown batch", "Not a diagnosis"):
        assert told in shown
    assert "Table of samples" not in shown
    assert not one(browser, "#sheet").is_displayed()


@pytest.mark.slow
def test_a_study_is_trained_cancelled_read_and_put_into_use_on_the_page(
    browser: webdriver.Chrome, key: tuple[str, str], tmp_path: Path, axe: str
) -> None:
    (tmp_path / "models").mkdir()
    with running(tmp_path / "models", tmp_path, api_keys=key[1], studies=1) as service:
        _study(browser, service, key[0], tmp_path, axe)


def _study(browser: webdriver.Chrome, service: Running, key: str, tmp_path: Path, axe: str) -> None:
    study = cohort(9)
    study.cargo.write(tmp_path / "plate.csv")
    study.sheet.frame.to_csv(tmp_path / "people.csv", index_label="sample_id")
    browser.get(f"http://localhost:{service.port}/")
    wait(lambda: one(browser, "#key").is_displayed())
    one(browser, "#key").send_keys(key, Keys.ENTER)
    wait(lambda: "the tab Study trains one" in text_of(browser, "#error"))  # there is no model yet
    one(browser, "#tab-study").click()
    one(browser, "#cargo").send_keys(str(tmp_path / "plate.csv"))
    one(browser, "#samples").send_keys(str(tmp_path / "people.csv"))
    wait(lambda: one(browser, "#choices").is_displayed())
    assert Select(one(browser, "#s-label")).first_selected_option.get_attribute("value") == "label"
    assert Select(one(browser, "#s-batch")).first_selected_option.get_attribute("value") == "batch"
    one(browser, "button[name=train]").click()
    wait(lambda: "Training and judging" in text_of(browser, "#s-status"))
    one(browser, "#s-cancel").click()
    wait(lambda: "Cancelled" in text_of(browser, "#s-status"))
    one(browser, "button[name=train]").click()
    wait(lambda: one(browser, "#outcome").is_displayed())
    verdict = text_of(browser, "#verdict")
    browser.switch_to.frame(one(browser, "#report"))
    assert text_of(browser, "#verdict") == verdict  # of the report: the same sentence
    browser.switch_to.default_content()
    assert violations(browser, axe) == []
    picture(browser, "study")
    one(browser, "#why").send_keys("first of this laboratory", Keys.ENTER)
    wait(lambda: "mine 1.0.0 is in use" in text_of(browser, "#s-status"))
    one(browser, "#tab-score").click()
    wait(lambda: "mine 1.0.0 answers" in text_of(browser, "#model"))


@pytest.mark.slow
def test_layers_of_the_same_people_are_studied_and_a_lost_connection_is_waited_out(
    browser: webdriver.Chrome, key: tuple[str, str], tmp_path: Path, axe: str
) -> None:
    (tmp_path / "models").mkdir()
    simulate(n_samples=60, n_molecules=60, layers=("mirna", "protein"), seed=2).write(tmp_path / "people")
    sheet = pd.read_csv(tmp_path / "people" / "samples.csv").assign(age=range(60))
    sheet.to_csv(tmp_path / "people" / "samples.csv", index=False)
    with running(tmp_path / "models", tmp_path, api_keys=key[1], studies=1) as service:
        browser.get(f"http://localhost:{service.port}/")
        wait(lambda: one(browser, "#key").is_displayed())
        one(browser, "#key").send_keys(key[0], Keys.ENTER)
        one(browser, "#tab-study").click()
        wait(lambda: one(browser, "#studyform").is_displayed())
        tables = "\n".join(str(tmp_path / "people" / f"{name}.csv") for name in ("cargo", "protein"))
        one(browser, "#cargo").send_keys(tables)
        wait(lambda: text_of(browser, "#s-status") == "cargo.csv and protein.csv: now choose the sample sheet.")
        one(browser, "#samples").send_keys(str(tmp_path / "people" / "samples.csv"))
        wait(lambda: one(browser, "#choices").is_displayed())
        Select(one(browser, "#s-kind-1")).select_by_value("protein")
        one(browser, "#s-layer-1").clear()
        one(browser, "#s-layer-1").send_keys("proteins")
        one(browser, "#choices summary").send_keys(Keys.ENTER)
        boxes = browser.find_elements(By.CSS_SELECTOR, "[name=covariate]")
        assert [box.get_attribute("value") for box in boxes] == ["age"]
        boxes[0].send_keys(Keys.SPACE)
        assert violations(browser, axe) == []
        one(browser, "button[name=audit]").send_keys(Keys.ENTER)
        wait(lambda: one(browser, "#outcome").is_displayed())
        browser.switch_to.frame(one(browser, "#report"))
        assert "Audit of cargo.csv and protein.csv" in text_of(browser, "h1")
        assert "proteins: " in str(one(browser, "main").get_attribute("textContent"))
        browser.switch_to.default_content()
        one(browser, "button[name=audit]").click()
        wait(lambda: "Auditing" in text_of(browser, "#s-status"))
        browser.execute_cdp_cmd("Network.enable", {})
        lost = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", lost)
        wait(lambda: "The connection was lost" in text_of(browser, "#s-status"))
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**lost, "offline": False})
        wait(lambda: one(browser, "#outcome").is_displayed())
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # what it said of the lost connection


def violations(browser: webdriver.Chrome, axe: str) -> list[str]:
    """What axe-core finds that is serious or critical."""
    browser.execute_script(axe)  # type: ignore[no-untyped-call]
    found = browser.execute_async_script(  # type: ignore[no-untyped-call]
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
    )
    return [
        f"{v['id']}: {v['nodes'][0]['html']}" for v in found["violations"] if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (390, "light"), (390, "dark")])
def test_every_tab_is_accessible_and_fits_its_screen(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], axe: str, width: int, scheme: str
) -> None:
    opened(browser, service, key[0], width=width, scheme=scheme)
    one(browser, "#example").click()
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    for tab in ("score", "study", "evidence"):
        one(browser, f"#tab-{tab}").click()
        if tab == "evidence":
            wait(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#condition option")) > 30)
            Select(one(browser, "#condition")).select_by_value("migraine without aura")
            wait(lambda: "claims on people" in text_of(browser, "#found"))
        assert violations(browser, axe) == []
        assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")  # type: ignore[no-untyped-call]
        picture(browser, f"{tab}-{width}-{scheme}")


def test_tabs_are_walked_by_arrow_keys(browser: webdriver.Chrome, service: Running, key: tuple[str, str]) -> None:
    opened(browser, service, key[0])
    one(browser, "#tab-score").send_keys(Keys.ARROW_RIGHT)
    assert browser.switch_to.active_element.get_attribute("id") == "tab-study"
    assert one(browser, "#study").is_displayed()
    press(browser, Keys.ARROW_RIGHT)
    assert one(browser, "#evidence").is_displayed()
    press(browser, Keys.ARROW_RIGHT)
    assert one(browser, "#score").is_displayed()


def test_a_lost_connection_loses_nothing_and_is_tried_again(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str]
) -> None:
    opened(browser, service, key[0])
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*predict-file*"]})
    one(browser, "#example").click()
    wait(lambda: "The connection was lost" in text_of(browser, "#error"))
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    one(browser, "#again").click()
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    assert not one(browser, "#error").is_displayed()
    browser.get_log("browser")  # type: ignore[no-untyped-call] # what was blocked is complained of there


def test_a_busy_service_is_asked_again_by_itself(
    browser: webdriver.Chrome, made: tuple[Path, ModelBundle], key: tuple[str, str], tmp_path: Path
) -> None:
    with running(
        made[0], tmp_path, api_keys=key[1], rate=0.5
    ) as slow:  # one request of this key at once, then one in 2 s
        slow.wait_until("/readyz", lambda reply: reply.status == 200)
        opened(browser, slow, key[0])
        one(browser, "#example").click()
        wait(lambda: "The service is busy; asking again in" in text_of(browser, "#status"))
        wait(lambda: one(browser, "#answers").is_displayed())
        assert not one(browser, "#error").is_displayed()
        wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    browser.get_log("browser")  # type: ignore[no-untyped-call] # each 429 is complained of there


def test_120_samples_are_answered_and_explained(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], tmp_path: Path
) -> None:
    frame = pd.concat([TABLE.to_frame(), TABLE.to_frame().iloc[:30].rename(index=lambda name: f"again-{name}")])
    frame.to_csv(tmp_path / "table.csv", index_label="sample_id")
    opened(browser, service, key[0])
    one(browser, "#file").send_keys(str(tmp_path / "table.csv"))
    wait(lambda: "120 samples" in text_of(browser, "#summary") and one(browser, "#answers").is_displayed())
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")


def test_the_catalogue_is_searched_by_condition_and_by_molecule(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str]
) -> None:
    opened(browser, service, key[0])
    one(browser, "#tab-evidence").click()
    wait(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#condition option")) > 30)
    Select(one(browser, "#condition")).select_by_value("migraine without aura")
    wait(lambda: "claims on people" in text_of(browser, "#found"))
    assert "PRJNA878604" in text_of(browser, "#found")
    picture(browser, "evidence")
    one(browser, "#within").send_keys("378a")
    rows = browser.find_elements(By.CSS_SELECTOR, "#found tbody tr")
    assert {"378a" in str(row.get_attribute("textContent")) for row in rows if row.is_displayed()} == {True}
    one(browser, "#within").clear()
    one(browser, "#mapped summary").click()
    wait(lambda: browser.execute_script("return document.getElementById('map').naturalWidth > 100"))  # type: ignore[no-untyped-call]
    one(browser, "#molecule").send_keys("let-7b-5p", Keys.ENTER)
    wait(lambda: "let-7b-5p: claims" in text_of(browser, "#found"))
    links = browser.find_elements(By.CSS_SELECTOR, "#found td a")
    assert all(str(link.get_attribute("href")).startswith("http") for link in links)


def test_the_downloads_hold_what_was_answered(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], made: tuple[Path, ModelBundle], tmp_path: Path
) -> None:
    opened(browser, service, key[0])
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    frame = TABLE.to_frame().iloc[:3]
    frame.index = ["=1+1", 'a "b", c', "S3"]
    frame.to_csv(tmp_path / "table.csv", index_label="sample_id")
    one(browser, "#file").send_keys(str(tmp_path / "table.csv"))
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    one(browser, "#csv").click()
    one(browser, "#json").click()
    wait(lambda: (tmp_path / "answers.csv").exists() and (tmp_path / "answers.jsonl").exists())
    expected = made[1].predict(type(TABLE).from_frame(frame, kind="mirna", unit="counts"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text())))
    assert [row["sample_id"] for row in rows] == ["'=1+1", 'a "b", c', "S3"]
    assert [row["call"] for row in rows] == list(expected.calls)
    assert [float(row["p_control"]) for row in rows] == expected.probabilities[:, 0].tolist()
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["sample_id"] for line in lines] == ["=1+1", 'a "b", c', "S3"]


def test_a_phone_in_the_dark_and_a_keyboard_suffice(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str]
) -> None:
    opened(browser, service, key[0], width=360, scheme="dark")
    paper = one(browser, "body").value_of_css_property("background-color")
    assert sum(int(part) for part in paper.strip("rgba()").split(",")[:3]) < 150
    for _ in range(30):  # by keyboard alone, to where a sample is pasted
        press(browser, Keys.TAB)
        if browser.switch_to.active_element.text == "Or paste one sample":
            break
    press(browser, Keys.ENTER, Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "paste"
    pasted = "\n".join(f"{name}\t{value:g}" for name, value in zip(TABLE.molecules, TABLE.values[0], strict=True))
    browser.execute_script("arguments[0].value = arguments[1]", one(browser, "#paste"), pasted)  # type: ignore[no-untyped-call]
    press(browser, Keys.TAB, Keys.ENTER)
    wait(lambda: text_of(browser, "#status") == "Explanations are there.")
    assert browser.switch_to.active_element.get_attribute("id") == "answered"
    one(browser, ".why summary").send_keys(Keys.ENTER)
    wait(lambda: one(browser, ".mover").is_displayed())
    picture(browser, "phone")
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")  # type: ignore[no-untyped-call]


def test_what_cannot_be_used_is_said_in_words(
    browser: webdriver.Chrome, service: Running, key: tuple[str, str], tmp_path: Path
) -> None:
    opened(browser, service, key[0])
    one(browser, "#pasting summary").click()
    one(browser, "#paste").send_keys("hsa-miR-21-5p 5 7")
    one(browser, "button[name=answer]").click()
    wait(lambda: "is not a molecule and its value" in text_of(browser, "#error"))
    (TABLE.to_frame().iloc[:2] + 0.5).to_csv(tmp_path / "table.csv", index_label="sample_id")
    one(browser, "#file").send_keys(str(tmp_path / "table.csv"))
    wait(lambda: "counts" in text_of(browser, "#error"))
    assert "table.csv" in text_of(browser, "#error")
    (tmp_path / "letter.docx").write_text("Dear all")
    one(browser, "#file").send_keys(str(tmp_path / "letter.docx"))
    wait(lambda: "letter.docx: give a .csv" in text_of(browser, "#error"))
    browser.execute_script(  # type: ignore[no-untyped-call]
        "const d = new DataTransfer(); d.items.add(new File(['a'], 'one.csv')); d.items.add(new File(['b'], 'two.csv'));"
        "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: d, bubbles: true}))"
    )
    wait(lambda: "one table at a time; 2 came (one.csv, two.csv)" in text_of(browser, "#error"))
    picture(browser, "error")


def test_nothing_was_asked_of_anyone_else_and_nothing_was_complained_of(
    browser: webdriver.Chrome, service: Running
) -> None:
    asked = set()
    for entry in browser.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(
                message["params"]["request"]["url"].split("/")[2] if "//" in message["params"]["request"]["url"] else ""
            )
    assert f"localhost:{service.port}" in asked
    assert {host for host in asked if host and not host.startswith("localhost:")} == set()
    said = [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]
    assert not [line for line in said if "401" not in line and "409" not in line]
