"""Two people in two real browsers: one refers in Malay, the other accepts in Bangla."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.integration.desk_web.conftest import LISTED, SILENT, ServedDesk, served
from tests.journeys.network import PASSPHRASE, CommandLineDesk
from tests.services.ports import is_open

NOTE = "canary-2c91-kumquat <b>bold</b>"
# WCAG 2.2, 2.5.8: 24 by 24 CSS pixels; a tick's label is a part of its target.
_TOO_SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((one) => one.type !== "hidden" && one.checkVisibility() && !one.matches(".skip"))
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24)
  .map(([html]) => html)"""


@pytest.fixture
def windows(browser: Browser) -> Iterator[tuple[Page, Page]]:
    """A window without scripts for the sender, one with for the receiver."""
    with (
        browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640}) as a,
        browser.new_context(viewport={"width": 900, "height": 900}) as b,
    ):
        yield a.new_page(), b.new_page()


def test_a_referral_is_sent_in_malay_and_accepted_in_bangla(
    windows: tuple[Page, Page], desks: tuple[ServedDesk, ServedDesk], pictures: Path
) -> None:
    (sender, receiver), (ours, theirs) = windows, desks
    sender.goto(ours.link)
    assert "/start/" not in sender.url
    in_language(sender, "ms")
    reference = refer(sender, pictures)

    receiver.goto(theirs.link)
    in_language(receiver, "bn")
    open_case(receiver, reference)
    picture(receiver, pictures, "case-bn")
    assert NOTE not in receiver.content()
    receiver.locator("a.button").click()
    assert NOTE in receiver.inner_text("p.note")
    assert receiver.locator("p.note b").count() == 0
    picture(receiver, pictures, "note-bn")
    receiver.go_back()
    accept(receiver, pictures)

    open_case(sender, reference)
    assert sender.locator(".tag.accepted").count() == 1
    picture(sender, pictures, "accepted-ms")


def in_language(page: Page, tag: str) -> None:
    page.locator(f'button[name="language"][value="{tag}"]').click()
    assert page.locator("html").get_attribute("lang") == tag


def refer(page: Page, pictures: Path) -> str:
    """Find the service, fill in the form, confirm; the spoken reference of the case."""
    page.locator('a[href="/find"]').click()
    page.locator("#country").select_option("bd")
    page.locator('main button[name="page"]').first.click()
    picture(page, pictures, "find-ms")
    cards = page.locator("li.card")
    assert cards.filter(has_text=SILENT).locator("button").count() == 0
    cards.filter(has_text=LISTED).locator("button").click()

    page.locator('button[value="check"]').click()
    assert page.locator(".summary a").count() > 10
    picture(page, pictures, "errors-ms")
    fill_in(page)
    picture(page, pictures, "form-ms")
    page.locator('button[value="check"]').click()
    assert page.locator(".summary").count() == 0
    assert page.locator(".digits").inner_text().replace(" ", "").isdigit()
    picture(page, pictures, "confirm-ms")
    page.locator('button[value="send"]').click()
    assert "/cases/" in page.url
    picture(page, pictures, "sent-ms")
    return page.locator("h1 .code").inner_text()


def fill_in(page: Page) -> None:
    """The nine compulsory parts, and a note."""
    for name, code in {
        "urgency": "urgent_72h",
        "where.now.country": "my",
        "where.now.setting": "shelter",
        "where.wants.country": "bd",
        "person.age_band": "20_24",
        "safety.contact_mode": "none",
        "consent.method": "verbal",
        "consent.language": "ben",
        "consent.obtained_by": "caseworker",
        "consent.free_to_leave": "yes",
        "note.language": "eng",
    }.items():
        field = page.locator(f'select[name="{name}"]')
        if name == "note.language":
            page.locator("details", has=field).locator("summary").click()
        field.select_option(code)
    page.locator('select[name="person.languages"]').first.select_option("ben")
    page.locator('textarea[name="note.text"]').fill(NOTE)
    for name, codes in {
        "needs": ["livelihood", "counselling"],
        "consent.fields": ["where", "person", "safety", "needs", "note"],
        "consent.purposes": ["assess", "provide_service"],
        "consent.recipients": ["yes"],
    }.items():
        for code in codes:
            page.locator(f'input[name="{name}"][value="{code}"]').check()
    given = datetime.now().astimezone() - timedelta(hours=1)
    page.locator('input[name="consent.obtained_at"]').fill(given.strftime("%Y-%m-%dT%H:%M"))
    until = given.date() + timedelta(days=30)
    page.locator('input[name="consent.expires_at"]').fill(until.isoformat())


def accept(page: Page, pictures: Path) -> None:
    """Accept what nobody has acknowledged: both messages go."""
    block = page.locator("details.answer", has=page.locator('input[value="accepted"]'))
    if block.get_attribute("open") is None:
        block.locator("summary").click()
    picture(page, pictures, "answer-bn")
    block.locator("select").first.select_option("caseworker")
    block.locator("button").click()
    assert page.locator(".tag.accepted").count() == 1
    assert page.locator("ol.cards > li").count() == 3


def open_case(page: Page, reference: str) -> None:
    """Look for new messages until the case is there."""
    page.locator('a[href="/"]').first.click()
    for _ in range(20):
        page.locator('form[action="/look"] button').click()
        found = page.locator("li.card a", has_text=reference)
        if found.count():
            found.click()
            return
    raise AssertionError("the case did not come")


def picture(page: Page, pictures: Path, name: str) -> None:
    """A screenshot; also that nothing is wider than the window or too small to be pressed."""
    page.wait_for_load_state("load")
    assert page.evaluate(_TOO_SMALL) == [], name
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide, name
    page.screenshot(path=pictures / f"{name}.png", full_page=True)


def test_the_keyboard_alone_leads_through_and_escape_locks(
    browser: Browser, alone: CommandLineDesk, pictures: Path
) -> None:
    with served(alone) as ours, browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(ours.link)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/status")
        assert alone.org in page.inner_text("main")
        assert page.locator(".digits").count() == 1
        picture(page, pictures, "status-en")
        assert faults == []
        for _ in range(3):
            page.keyboard.press("Escape")
        page.wait_for_selector("#passphrase")
        picture(page, pictures, "locked-en")
        page.keyboard.type("not the passphrase")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        page.keyboard.type(PASSPHRASE)
        page.keyboard.press("Enter")
        page.wait_for_selector("#lock")
        picture(page, pictures, "inbox-en")


def test_a_page_of_another_site_can_neither_read_nor_send(
    browser: Browser, alone: CommandLineDesk
) -> None:
    with served(alone) as ours, browser.new_context() as context:
        page = context.new_page()
        page.goto(ours.link)
        other = context.new_page()
        other.set_content(
            f'<form method="post" action="{ours.origin}/lock"><button>go</button></form>'
            f'<iframe src="{ours.origin}/"></iframe>'
        )
        other.locator("button").click()
        other.wait_for_url(f"{ours.origin}/lock")
        assert "csrf" not in other.content()
        page.reload()
        assert page.locator("#lock").count() == 1, "the desk was locked from outside"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_desk_within_three_seconds(
    alone: CommandLineDesk, number: signal.Signals
) -> None:
    with served(alone) as ours:
        port = int(ours.origin.rpartition(":")[2])
        assert _listening_addresses(port) == {"0100007F"}, "127.0.0.1 and nothing else"
        began = time.monotonic()
        assert ours.child.stop(number) == 0
        assert time.monotonic() - began < 3
        assert not is_open(port)


def test_at_debug_the_desks_log_holds_no_address_and_no_word(
    windows: tuple[Page, Page], alone: CommandLineDesk
) -> None:
    with served(alone) as ours:
        page = windows[0]
        page.goto(ours.link)
        page.goto(f"{ours.origin}/canary-6a1f?canary-6a1f=1")
        page.goto(ours.origin)
        page.locator('a[href="/find"]').click()
        page.locator("#text").fill("canary-6a1f")
        page.locator('main button[name="page"]').first.click()
        said = ours.child.said().replace(json.dumps({"url": ours.link}), "")
        for secret in ("canary-6a1f", ours.link.rpartition("/")[2], "/find", PASSPHRASE):
            assert secret not in said


def test_a_port_that_is_taken_is_one_sentence(alone: CommandLineDesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = alone.run("desk", "--port", str(taken.getsockname()[1]))
    assert outcome.code == 1
    assert "another program has it" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def _listening_addresses(port: int) -> set[str]:
    """The local addresses, as the kernel writes them, on which somebody listens on `port`."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, _, state = line.split()[1:4]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.add(address)
    return found
