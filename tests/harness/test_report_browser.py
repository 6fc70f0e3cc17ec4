"""The page in a real browser. Chromium and its driver are Debian's."""

import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from harness.report import write
from submission.ledger import Ledger
from tests.harness.fake_store import HOSTILE, make_store
from zoo.files import write_json

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver here")]


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    store = make_store(folder / "runs", 6)
    make_store(folder / "runs", 2, classes=HOSTILE, seed=1,
               data_name="<script>alert(0)</script>" + "n" * 180)
    best = store.finished()[-1]
    Ledger(folder / "runs" / "ledger.jsonl").append(
        "a", state="scored", run=best.id, forecast=best.forecasts[0]["forecast"], score=0.5)
    write_json(folder / "runs" / "cleaning-0.json", {
        "source": "gone.npz", "n": 9, "dropped": [{"index": 1, "reason": "constant"}],
        "groups": [], "outliers": [{"index": 2, "distance": 3.0}, {"index": 3, "distance": 9.0}],
        "suspected_labels": [], "class_counts": {"a": 5, "b": 3}})
    return write(store, folder / "page.html")


@pytest.fixture
def page(browser, path):
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())
    return browser


def js(page, script):
    return page.execute_script(f"return {script}")


def column(page, name):
    """The texts of one column of the first leaderboard, from top to bottom."""
    return js(page, f"""(() => {{ const t = document.querySelector('table.board');
        const i = [...t.tHead.rows[0].cells].findIndex(c => c.textContent === '{name}');
        return [...t.tBodies[0].rows].filter(r => r.checkVisibility())
            .map(r => r.cells[i].textContent.trim()); }})()""")


def click_heading(page, name):
    js(page, f"""[...document.querySelectorAll('table.board th button')]
        .find(b => b.textContent === '{name}').click()""")


def test_it_renders_without_a_message_in_the_console_or_an_alert(page):
    assert js(page, "document.querySelector('.card h2').textContent.trim()")
    assert js(page, "document.querySelectorAll('.gap-row').length") == 8
    assert page.get_log("browser") == []


def test_it_asks_for_nothing_but_itself(page, path):
    import json

    asked = [json.loads(e["message"])["message"] for e in page.get_log("performance")]
    addresses = {m["params"]["request"]["url"] for m in asked
                 if m["method"] == "Network.requestWillBeSent"}
    assert {a for a in addresses if not a.startswith("data:")} == {path.as_uri()}


def test_a_heading_sorts_up_and_down_by_number(page):
    def numbers():
        return [float(t.split()[0]) for t in column(page, "validation")]

    click_heading(page, "validation")
    assert numbers() == sorted(numbers())
    assert js(page, "document.querySelectorAll('table.board')[0]"
                    ".querySelector('[aria-sort]').textContent") == "validation"
    click_heading(page, "validation")
    assert numbers() == sorted(numbers(), reverse=True)


def test_words_are_sorted_by_the_alphabet_and_empty_cells_come_last(page):
    click_heading(page, "backbone")
    names = column(page, "backbone")
    assert names == sorted(names, key=str.lower)
    click_heading(page, "returned")
    assert column(page, "returned")[0] == "50.0 %"
    click_heading(page, "returned")
    assert column(page, "returned")[0] == "50.0 %"


def test_the_filter_hides_rows_marks_and_sections_of_other_runs(page):
    field = page.find_element("css selector", "input[type=search]")
    field.send_keys("vgg19 seed")
    assert column(page, "backbone") == ["VGG19"]
    assert js(page, "document.querySelector('[role=status]').textContent") == "1 of 6 runs"
    assert js(page, "[...document.querySelectorAll('#data-1 .gap-row')].filter(e => "
                    "e.checkVisibility()).length") == 1
    field.clear()
    field.send_keys(" ")
    assert len(column(page, "backbone")) == 6


def test_a_link_to_a_run_opens_its_section(page):
    js(page, "document.querySelector('.card h2 a').click()")
    time.sleep(0.1)
    assert js(page, "document.getElementById('run-1').open")
    assert not js(page, "document.getElementById('run-2').open")


def test_two_runs_can_be_chosen_and_compared(page):
    js(page, """(() => { for (const [id, v] of [['a', 0], ['b', 5]]) {
        const s = document.getElementById('compare-' + id); s.value = v;
        s.dispatchEvent(new Event('change')); } })()""")
    text = js(page, "document.getElementById('compare-out').textContent")
    assert "Of 240 validation pictures only the first is right on" in text
    assert "Recall by class" in text
    js(page, """(() => { const s = document.getElementById('compare-b'); s.value = 6;
        s.dispatchEvent(new Event('change')); })()""")
    text = js(page, "document.getElementById('compare-out').textContent")
    assert "validated on different pictures" in text


def test_the_chance_that_the_page_computes_is_the_terminals(page, path):
    from harness.report.pair import compare
    from harness.runs import Store

    runs = {r.id: r for r in Store(path.parent / "runs").finished()}
    a, b = (runs[js(page, f"JSON.parse(document.getElementById('facts').textContent)[{i}].run")]
            for i in (0, 3))
    js(page, """(() => { for (const [id, v] of [['a', 0], ['b', 3]]) {
        const s = document.getElementById('compare-' + id); s.value = v;
        s.dispatchEvent(new Event('change')); } })()""")
    said = js(page, "document.querySelector('#compare-out p').textContent")
    found = compare(a, b, {})["pictures"]
    assert f"right on {found['only_a']}, only the second on {found['only_b']}." in said
    assert float(said.rsplit("p = ", 1)[1].rstrip(").")) == pytest.approx(found["p"], rel=0.06,
                                                                           abs=0.005)


def test_the_theme_follows_the_system_and_the_button(page):
    def paper():
        return js(page, "getComputedStyle(document.body).backgroundColor")

    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    dark = paper()
    js(page, "document.getElementById('theme').click()")
    light = paper()
    assert light != dark
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "light"}]})
    assert paper() == light
    js(page, "localStorage.clear()")


def test_nothing_sticks_out_on_a_phone(page):
    js(page, "document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    try:
        assert js(page, "innerWidth") == 360
        assert js(page, "document.documentElement.scrollWidth") <= 360
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_paper_gets_every_section_of_few_runs_and_of_many_what_was_opened(browser, tmp_path):
    for count, wanted in ((20, 20), (21, 1)):
        store = make_store(tmp_path / str(count), count, n=40, sample=4)
        browser.get(write(store, tmp_path / f"{count}.html").as_uri())
        js(browser, "document.getElementById('run-2').open = true")
        js(browser, "dispatchEvent(new Event('beforeprint'))")
        assert js(browser, "document.querySelectorAll('details.run[open]').length") == wanted


def test_it_can_be_read_without_scripts(page, path):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.get(path.as_uri())
        assert page.find_element("css selector", "table.board").is_displayed()
        assert not page.find_element("id", "theme").is_displayed()
        assert "harness compare" in page.find_element("css selector", "noscript").text
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.fixture(scope="module")
def axe(request):
    """The accessibility checker's source, fetched once with npm into pytest's cache."""
    folder = Path(request.config.cache.mkdir("axe"))
    source = folder / "package" / "axe.min.js"
    if not source.is_file():
        if not shutil.which("npm"):
            pytest.skip("needs npm to fetch axe-core")
        done = subprocess.run(["npm", "pack", "axe-core"], cwd=folder, capture_output=True)
        if done.returncode:
            pytest.skip("npm could not fetch axe-core")
        with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as archive:
            archive.extract("package/axe.min.js", folder, filter="data")
    return source.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_accessibility_check_finds_nothing(page, axe, theme):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": theme}]})
    js(page, "document.querySelectorAll('#run-1, #run-1 details').forEach(d => { d.open = true; })")
    page.execute_script(axe)
    page.set_script_timeout(120)
    found = page.execute_async_script(
        "axe.run(document).then(r => arguments[0](r.violations.map(v => [v.impact, v.id, "
        "v.nodes[0].html])))")
    assert found == []


@pytest.mark.slow
def test_forty_runs_make_a_page_that_is_small_and_opens_fast(browser, tmp_path):
    store = make_store(tmp_path / "runs", 40, n=1000, size=96, sample=512)
    path = write(store, tmp_path / "page.html")
    assert path.stat().st_size < 15e6
    times = []
    for _ in range(3):
        browser.get("about:blank")
        browser.get(path.as_uri())
        times.append(js(browser, "performance.getEntriesByType('navigation')[0].loadEventEnd"))
    assert min(times) < 2000
