"""The reports of the three tasks as a reader has them: in a real browser, on a phone, on a desktop and on paper."""

import base64
import json
import os
import re
import shutil
from contextlib import chdir
from itertools import pairwise
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from dvckit.reports.plots import DIAGNOSTICS
from titanic.reporting import report

pytestmark = pytest.mark.system

SOURCE = Path(__file__).parents[4]
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# Width in pixels, medium, and how high the smallest text of a figure must be. Paper: A4 less its margins, at 96 pixels
# to the inch.
VIEWS = {"phone": (360, "screen", 12), "desktop": (1280, "screen", 12), "paper": (680, "print", 10)}
FLAGS = (
    "--headless=new",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The page that stage report makes of the results that are committed."""
    root = tmp_path_factory.mktemp("report")
    shutil.copy(SOURCE / "params.yaml", root)
    (root / report.INTENDED_USE).parent.mkdir(parents=True)
    shutil.copy(SOURCE / report.INTENDED_USE, root / report.INTENDED_USE)
    shutil.copytree(SOURCE / "reports", root / "reports", ignore=shutil.ignore_patterns("*.html", "figures"))
    with chdir(root):
        report.main()
    return root / "reports/report.html"


@pytest.fixture(scope="module", params=["example", "iris", "diabetes"])
def page(request, reported, tmp_path_factory):
    """The page of two classes, of several, or of values."""
    if request.param == "example":
        return request.getfixturevalue("example")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(reported(request.param)[0])
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    for program in (CHROMIUM, DRIVER):
        assert program.exists(), f"{program} is missing; on Debian: apt install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with webdriver.Chrome(options, Service(str(DRIVER))) as driver:
        yield driver


@pytest.fixture(params=VIEWS)
def view(request):
    return request.param


@pytest.fixture
def opened(view, browser, page):
    """The browser with the page in it, in one of the views."""
    width, medium, _ = VIEWS[view]
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": view == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
    browser.get_log("performance")
    browser.get(page.as_uri())
    return browser


def test_nothing_overflows(opened):
    """Neither the page nor the box of a table, which would scroll on a phone and be cut on paper."""
    too_wide = opened.execute_script("""
        return [document.documentElement, ...document.querySelectorAll("body *")]
            .filter(element => !element.closest("svg") && element.scrollWidth > element.clientWidth + 1
                && getComputedStyle(element).display !== "inline")
            .map(element => element.outerHTML.slice(0, 80));
    """)

    assert too_wide == []
    assert opened.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_every_figure_is_seen_and_labelled(opened):
    figures = opened.execute_script("""
        return [...document.querySelectorAll("figure")].map(figure => {
            const [outer, inner] = [figure, figure.querySelector("svg")].map(e => e.getBoundingClientRect());
            return [figure.getAttribute("role"), figure.getAttribute("aria-label"), inner.width, inner.height,
                    inner.left >= outer.left && inner.right <= outer.right && inner.bottom <= outer.bottom];
        });
    """)

    assert len(figures) >= len(DIAGNOSTICS) + 3
    for role, label, width, height, within in figures:
        assert (role, within) == ("img", True)
        assert re.match(r"\w.{40}", label, re.DOTALL)
        assert min(width, height) > 200


def test_the_text_of_the_figures_can_be_read(opened, view):
    """High enough as shown, and within its figure."""
    texts = opened.execute_script("""
        return [...document.querySelectorAll("svg text")].map(text => {
            const [inner, outer] = [text, text.closest("svg")].map(e => e.getBoundingClientRect());
            const matrix = text.getScreenCTM();
            const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
            const inside = inner.left >= outer.left && inner.right <= outer.right
                && inner.top >= outer.top && inner.bottom <= outer.bottom;
            return [text.textContent, size, inside];
        });
    """)

    assert len(texts) > 50
    assert [text for text, size, inside in texts if size < VIEWS[view][2] or not inside] == []


def test_text_stands_out_from_what_is_behind_it(opened):
    """A contrast of 4.5 to 1, as WCAG 2 has it."""
    faint = opened.execute_script("""
        const clear = color => color === "none" || color.startsWith("rgba") && color.endsWith(" 0)");
        const light = color => color.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
            .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
        const painted = element => {
            const style = getComputedStyle(element);
            return element.closest("svg *") ? style.fill : style.backgroundColor;
        };
        const behind = element => {
            element.scrollIntoView({block: "center"});
            const box = element.getBoundingClientRect();
            const below = document.elementsFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
            const colors = below.filter(e => e.tagName !== "text").map(painted).filter(color => !clear(color));
            return colors[0] ?? "rgb(255, 255, 255)";
        };
        const written = [...document.querySelectorAll("body *")].filter(element => [...element.childNodes]
            .some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()) && !element.closest("style, metadata"));
        return written.map(element => {
            const style = getComputedStyle(element);
            const own = light(element.tagName === "text" ? style.fill : style.color);
            const [low, high] = [own, light(behind(element))].sort((a, b) => a - b);
            return [element.textContent.slice(0, 40), (high + 0.05) / (low + 0.05)];
        }).filter(([, contrast]) => contrast < 4.5);
    """)

    assert faint == []


def test_headings_and_tables_give_the_structure(opened):
    levels, tables, heads = opened.execute_script("""
        const all = name => [...document.querySelectorAll(name)];
        return [all("h1, h2, h3, h4").map(heading => Number(heading.tagName[1])),
                all("table").map(table => table.caption.textContent),
                all("th").map(head => head.scope)];
    """)

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(tables)
    assert set(heads) == {"row", "col"}


def test_nothing_is_fetched_and_nothing_complains(opened, page):
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    fetched = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}

    assert fetched == {page.as_uri()}
    assert opened.get_log("browser") == []


def test_it_prints_on_a_few_pages(browser, page):
    browser.get(page.as_uri())

    pdf = base64.b64decode(browser.print_page())

    assert pdf.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 10
