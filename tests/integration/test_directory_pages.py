"""The public pages in a real browser, from the real server, with the demonstration's listings.

Nothing leaves the machine: an address elsewhere is answered by the test itself, and counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, Route, expect

from directory import taxonomies
from directory.taxonomies import INTERFACE_LANGUAGES
from tests.journeys.network import NET, prepare
from tests.js.packages import installed
from tests.unit.directory.support import Member

JS: Final = Path(__file__).parents[1] / "js"
BIN: Final = Path(sys.executable).parent
LISTINGS: Final = Path(__file__).parents[2] / "docker" / "demo" / "listings.csv"
NOWHERE: Final = "00000000-0000-5000-8000-000000000000"
WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NARROW: Final = 320
TARGET: Final = 24
FIRST_PAGE: Final = 60 * 1024
# What somebody who looks for a shelter types, in each of the ten languages.
SHELTER: Final = {
    "en": "shelter",
    "ms": "tempat perlindungan",
    "id": "rumah aman",
    "bn": "আশ্রয়কেন্দ্র",
    "zh": "收容所",
    "si": "රැකවරණ",
    "ta": "தங்குமிடம்",
    "th": "ที่พักพิง",
    "vi": "nhà tạm lánh",
    "ur": "پناہ گاہ",
}


@dataclass(frozen=True)
class Site:
    """The directory as it is served, and the organisations that have a desk in it or not."""

    url: str
    able: str
    log: Path

    def __call__(self, path: str) -> str:
        return self.url + path


@dataclass
class Visit:
    """One browser window. `foreign` are requests to elsewhere, `said` the console's complaints."""

    page: Page
    site: Site
    context: BrowserContext
    requests: list[Request] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def search(self, words: str, *, tag: str = "en") -> None:
        self.page.goto(self.site(f"/{tag}/"))
        self.page.locator("#search").fill(words)
        with self.page.expect_navigation():
            self.page.locator("form.search button").click()

    def open_first(self) -> None:
        with self.page.expect_navigation():
            self.page.locator("main h3 a").first.click()

    def wire_bytes(self) -> int:
        sizes = [request.sizes() for request in self.requests if request.url.startswith("http")]
        return sum(one["responseHeadersSize"] + one["responseBodySize"] for one in sizes)


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One directory for all tests of this file: nothing here changes it."""
    network = prepare(tmp_path_factory.mktemp("pages"))
    able = Member.new("my-00000000000000a1", net=NET, now=int(time.time()))
    listings = LISTINGS.read_text(encoding="utf-8")
    with network.serving("directory") as server:
        # Listed first: once it has keys, only it can list itself.
        network.list_services(
            listings.replace("{my_org}", able.org).replace("{bd_org}", "bd-00000000000000b1")
        )
        network.coordinators.join(*able.statements)
        yield Site(network.directory_environ["RUJUKAN_PUBLIC_URL"], able.org, server.log)


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens windows; at the end none of them may have asked anybody else, or kept a cookie."""
    opened: list[Visit] = []

    def open_one(*, leaves: bool = False, width: int = 1280, **options: Any) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        one = Visit(context.new_page(), site, context)
        one.page.on("request", lambda request: one.requests.append(request))
        one.page.on("console", lambda message: one.said.append(message.text))
        one.page.on("pageerror", lambda error: one.said.append(str(error)))
        context.route(lambda url: not url.startswith(site.url), _elsewhere(one))
        if not leaves:
            opened.append(one)
        return one

    yield open_one
    for one in opened:
        assert one.foreign == []
        assert [text for text in one.said if "404 (NOT FOUND)" not in text] == []
        assert one.context.cookies() == []
        one.context.close()


def _elsewhere(visit: Visit) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        visit.foreign.append(route.request.url)
        route.fulfill(body="<title>Elsewhere</title>", content_type="text/html")

    return answer


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core from the locked packages."""
    return (installed() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _violations(page: Page, axe: str) -> list[str]:
    # The page's own policy lets no script in from elsewhere; the debugger's door is not a page's.
    page.evaluate(f"() => {{ {axe}; window.axe = axe; }}")
    options: dict[str, object] = {
        "runOnly": {"type": "tag", "values": WCAG},
        "resultTypes": ["violations"],
    }
    options["preload"] = False  # style sheets are here already
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{one['id']}: {node['html']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("tag", INTERFACE_LANGUAGES)
def test_a_person_on_a_phone_finds_a_shelter_in_any_language(
    visit: Open, axe: str, tag: str
) -> None:
    here = visit(width=NARROW)
    page = here.page
    page.goto(here.site(f"/{tag}/"))
    assert len([one for one in here.requests if one.url.startswith("http")]) == 3
    assert 5_000 < here.wire_bytes() < FIRST_PAGE
    _fits_a_phone(page, tag)
    here.search(SHELTER[tag], tag=tag)
    _is_a_shelter(here, taxonomies.label("service", "shelter", tag))
    _fits_a_phone(page, tag)
    assert _violations(page, axe) == []
    here.open_first()
    _fits_a_phone(page, tag)
    assert _violations(page, axe) == []


@pytest.mark.parametrize("tag", ["en", "ur", "zh"])
def test_where_there_is_nothing_there_is_a_way_back(visit: Open, axe: str, tag: str) -> None:
    here = visit(width=NARROW)
    page = here.page
    page.goto(here.site(f"/{tag}/services/{NOWHERE}"))
    _fits_a_phone(page, tag)
    assert _violations(page, axe) == []
    here.search("qzqzqzqz", tag=tag)
    assert page.locator(".card").count() == 0
    _fits_a_phone(page, tag)
    assert _violations(page, axe) == []


def test_the_checks_above_see_what_is_wrong(visit: Open, axe: str) -> None:
    page = visit(width=NARROW).page
    page.set_content('<html lang="en"><a href="/">x</a><img src="data:,"><hr width="999">')
    assert any(one.startswith("image-alt") for one in _violations(page, axe))
    assert len(page.evaluate(_TOO_SMALL, TARGET)) == 1
    assert page.evaluate("document.documentElement.scrollWidth") > NARROW


def _is_a_shelter(here: Visit, label: str) -> None:
    """The first of what was found is a shelter, and the words went nowhere but to the form."""
    first = here.page.locator(".card").first
    expect(first.locator(".kind").get_by_text(label, exact=True)).to_be_visible()
    assert not any(urlsplit(one.url).query for one in here.requests)
    assert urlsplit(here.page.url).fragment == "results"
    words = here.page.locator("#search").input_value()
    assert words
    assert words not in here.site.log.read_text(encoding="utf-8")


def _fits_a_phone(page: Page, tag: str) -> None:
    assert page.locator("html").get_attribute("lang") == tag
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, page.url
    assert page.evaluate(_TOO_SMALL, TARGET) == []


# Links inside of a sentence may be as high as its line (WCAG 2.2, 2.5.8); we have none.
_TOO_SMALL: Final = """(target) =>
  [...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
    .filter((one) => !one.classList.contains("skip"))
    .map((one) => [one.outerHTML, one.getBoundingClientRect()])
    .filter(([_, box]) => box.width < target || box.height < target)
    .map(([html, box]) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`)
"""


def test_urdu_runs_from_right_to_left(visit: Open) -> None:
    here = visit()
    here.search(SHELTER["ur"], tag="ur")
    page = here.page
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    name, leave = page.locator(".name a").bounding_box(), page.locator("#leave").bounding_box()
    assert name
    assert leave
    assert leave["x"] + leave["width"] < name["x"]
    number = page.locator(".phone bdi").first
    assert number.evaluate("(one) => getComputedStyle(one).direction") == "ltr"


def test_a_word_of_any_language_is_understood_on_a_page_of_another(visit: Open) -> None:
    here = visit()
    for tag in ("bn", "zh", "ur"):
        here.search(SHELTER[tag], tag="en")
        _is_a_shelter(here, "Shelter")


def test_one_step_back_from_a_service_are_the_results(visit: Open) -> None:
    here = visit()
    here.search("shelter")
    found = here.page.locator("h2").first.inner_text()
    here.open_first()
    here.page.go_back()
    expect(here.page.locator("h2").first).to_have_text(found)
    here.page.go_forward()
    expect(here.page.locator("h1")).not_to_have_text("Find help")


def test_a_search_brings_a_phone_to_what_was_found(visit: Open) -> None:
    here = visit(width=NARROW)
    here.search("shelter")
    expect(here.page.locator("#results")).to_be_in_viewport()
    expect(here.page.locator("#leave")).to_be_in_viewport()


def test_filters_and_pages_and_hotlines(visit: Open) -> None:
    here = visit()
    page = here.page
    page.goto(here.site("/en/"))
    with page.expect_navigation():
        page.get_by_role("button", name="Next page").click()
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="Show hotlines to phone").click()
    expect(page.get_by_label("Kind of help")).to_have_value("hotline")
    page.get_by_label("Country").select_option("my")
    with page.expect_navigation():
        page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#results")).to_have_text("1 service found")
    expect(page.locator(".card .phone", has_text="Hotline")).to_contain_text("+60 41000000")
    # Another country can be chosen straight away.
    page.get_by_label("Country").select_option("bd")
    with page.expect_navigation():
        page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".card")).to_contain_text("Nodi helpline")


def test_a_service_says_what_it_is_and_who_can_receive(visit: Open) -> None:
    here = visit()
    here.search("Rumah Harapan")
    here.open_first()
    page = here.page
    assert page.title() == "Services"
    expect(page.locator("h1")).to_have_text("Harapan women's shelter")
    expect(page.get_by_text("Confidential. The place is told only")).to_be_visible()
    expect(page.get_by_text("Send an encrypted referral from your desk")).to_be_visible()
    expect(page.locator("code")).to_have_text(here.site.able)
    expect(page.locator(".banner strong")).to_have_text("DEMO")
    with page.expect_navigation():
        page.get_by_role("link", name="中文").click()
    expect(page.locator("h1")).to_have_text("希望妇女庇护所")
    here.search("Nodi")
    here.open_first()
    expect(page.get_by_text("cannot receive encrypted referrals yet. Phone it.")).to_be_visible()


def test_everything_works_without_javascript(visit: Open) -> None:
    here = visit(java_script_enabled=False)
    page = here.page
    here.search("shelter", tag="vi")
    expect(page.locator(".card").first).to_be_visible()
    # The key would do nothing, so it is not promised.
    expect(page.locator("#keys")).to_be_hidden()
    here.open_first()
    expect(page.locator("dl")).to_be_visible()
    expect(page.locator("#leave")).to_have_attribute("href", "https://www.wikipedia.org/")


def test_the_keyboard_alone_is_enough(visit: Open) -> None:
    here = visit()
    page = here.page
    page.goto(here.site("/en/"))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(page.locator("#leave")).to_be_focused()
    reached = [_focused_after_tab(page) for _ in range(18)]
    assert reached[0] == "Directory of services"
    assert reached[1:11] == page.locator(".languages a").all_inner_texts()
    assert reached[11:16] == ["search", "service", "country", "language", "population"]
    assert reached[16:] == ["Search", "Start again"]
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert _focused_after_tab(page) == "search"
    page.keyboard.type("sheltr")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    # Where the results begin is where the keyboard goes on.
    page.keyboard.press("Tab")
    expect(page.locator("main h3 a").first).to_be_focused()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("dl")).to_be_visible()


def _focused_after_tab(page: Page) -> str:
    """The name of what gets the focus, which must be plain to see and not under anything."""
    page.keyboard.press("Tab")
    seen: dict[str, Any] = page.evaluate(
        """() => {
          const one = document.activeElement, style = getComputedStyle(one);
          const box = one.getBoundingClientRect();
          const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
          return { name: one.id || one.innerText, outline: style.outlineStyle,
                   width: parseFloat(style.outlineWidth), seen: one.contains(top) };
        }"""
    )
    assert seen["outline"] == "solid", seen
    assert seen["width"] >= 2, seen
    assert seen["seen"], seen
    return str(seen["name"])


@pytest.mark.parametrize("tag", ["en", "zh"])
def test_leaving_takes_the_page_out_of_the_history(visit: Open, tag: str) -> None:
    here = visit(leaves=True)
    page = here.page
    page.goto(here.site("/healthz"))
    page.goto(here.site(f"/{tag}/"))
    with page.expect_navigation():
        page.locator("#leave").click()
    assert page.title() == "Elsewhere"
    assert here.foreign == [
        {"en": "https://www.wikipedia.org/", "zh": "https://www.baidu.com/"}[tag]
    ]
    assert "referer" not in here.requests[-1].headers
    page.go_back()
    assert page.url == here.site("/healthz")
    here.context.close()


def test_escape_three_times_leaves_from_anywhere(visit: Open) -> None:
    here = visit(leaves=True)
    page = here.page
    here.search("shelter")
    expect(page.locator("#keys")).to_be_visible()
    page.locator("#search").focus()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.url.startswith(here.site.url)
    with page.expect_navigation():
        page.keyboard.press("Escape")
    assert page.title() == "Elsewhere"
    assert here.foreign == ["https://www.wikipedia.org/"]
    here.context.close()


def test_escape_now_and_then_does_not_leave(visit: Open) -> None:
    here = visit()
    page = here.page
    page.clock.install(time=time.time())
    page.goto(here.site("/en/"))
    for _ in range(5):
        page.keyboard.press("Escape")
        page.clock.run_for(1100)
    page.keyboard.down("Escape")
    for _ in range(5):  # held down, it repeats by itself
        page.keyboard.down("Escape")
    assert page.url == here.site("/en/")
    assert page.locator("html").get_attribute("hidden") is None


def test_a_printed_page_has_what_is_needed_and_no_buttons(visit: Open) -> None:
    here = visit()
    here.search("Rumah Harapan")
    here.open_first()
    page = here.page
    page.emulate_media(media="print")
    for gone in ("#leave", "header nav", "footer"):
        expect(page.locator(gone)).to_be_hidden()
    for there in ("h1", "dl", "#refer", ".phone"):
        expect(page.locator(there)).to_be_visible()
    page.goto(here.site("/en/"))
    expect(page.locator("form.search")).to_be_hidden()
    expect(page.locator(".card").first).to_be_visible()


def test_a_browser_at_the_root_is_shown_the_pages_in_its_language(visit: Open) -> None:
    here = visit(locale="bn-BD")
    here.page.goto(here.site("/"))
    assert here.page.url == here.site("/bn/")


def test_markup_and_endless_words_change_nothing(visit: Open) -> None:
    here = visit(width=NARROW)
    page = here.page
    alerts: list[Dialog] = []
    page.on("dialog", lambda dialog: alerts.append(dialog))
    for words in ('"><script>alert(1)</script>', "<img src=x onerror=alert(1)>", "W" * 200):
        here.search(words + " shelter")
        assert page.locator("#search").input_value() == (words + " shelter")[:200]
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
        assert page.locator("main script, main img").count() == 0
    assert alerts == []


def test_the_lock_knows_the_axe_that_was_run() -> None:
    wanted = json.loads((JS / "package.json").read_text())["devDependencies"]["axe-core"]
    locked = json.loads((JS / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/axe-core"]["version"] == wanted
