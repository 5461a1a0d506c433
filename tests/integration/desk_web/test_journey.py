"""Two people in two real browsers: one refers in Malay, the other accepts in Bangla."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.integration.desk_web.conftest import LISTED, SILENT, ServedDesk

NOTE = "canary-2c91-kumquat <b>bold</b>"
PATIENCE = 20_000


@pytest.fixture
def windows(browser: Browser, desks: tuple[ServedDesk, ServedDesk]) -> Iterator[tuple[Page, Page]]:
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
        "needs": ["reintegration", "counselling"],
        "consent.fields": ["where", "person", "safety", "needs", "note"],
        "consent.purposes": ["assess", "provide_service"],
        "consent.recipients": ["yes"],
    }.items():
        for code in codes:
            page.locator(f'input[name="{name}"][value="{code}"]').check()
    given = datetime.now().astimezone() - timedelta(hours=1)
    page.locator('input[name="consent.obtained_at"]').fill(given.strftime("%Y-%m-%dT%H:%M"))
    until = date.fromtimestamp(given.timestamp()) + timedelta(days=30)
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
    """A screenshot; also that nothing is wider than the window."""
    wide = (
        page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        if (page.viewport_size or {}).get("width") == 900
        else False
    )
    assert not wide, name
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
