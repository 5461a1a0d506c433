"""The pages over a small directory: what they show, hide, refuse, and say when they fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import Engine

from broker.service.problems import MEDIA_TYPE
from directory.app import CSP
from directory.taxonomies import INTERFACE_LANGUAGES
from tests.unit.directory.support import ADDRESS, GOOD, OTHER, Member, Served, admit, served, store

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>&amp;{{7*7}}"
NOWHERE = "00000000-0000-5000-8000-000000000000"


class Reading(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Served]:
    made = served(tmp_path)
    yield made
    made.close()


def _listed(directory: Served, *rows: Mapping[str, str]) -> list[str]:
    """The rows are published; the ids of all services."""
    store(directory.engine, [{**GOOD, **row} for row in rows])
    found = directory.client.get("/services?minimal=true&per_page=100").get_json()["contents"]
    return [one["id"] for one in found]


def _read(directory: Served, address: str, status: int = 200) -> Reading:
    answer = directory.client.get(address)
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    return Reading(answer.text)


def test_a_search_by_post_shows_what_it_finds(directory: Served) -> None:
    _listed(
        directory, {}, {"service_key": "two", "service_name": "Klinik", "services": "legal_aid"}
    )
    page = Reading(directory.client.post("/en/", data={"search": "klinik"}).text)
    assert "1 service found" in page.text
    assert any(said == "Klinik" for said in page.said)
    assert "Rumah Harapan" not in page.text
    # The words stand in the form and nowhere where an address could be made of them.
    assert [one["value"] for one in page.all("input") if one.get("name") == "search"] == ["klinik"]
    assert not [one for one in page.all("a") + page.all("form") if "klinik" in str(one)]


def test_every_form_that_carries_a_search_is_posted(directory: Served) -> None:
    _listed(directory, *({"service_key": f"s{i}", "service_name": f"No {i}"} for i in range(21)))
    forms = Reading(directory.client.post("/en/", data={"search": "no"}).text).all("form")
    assert len(forms) == 3
    assert {(one["method"], one["action"]) for one in forms} == {("post", "/en/#results")}


def test_get_finds_the_same(directory: Served) -> None:
    _listed(directory, {})
    posted = directory.client.post("/en/", data={"search": "harapan", "country": "my"})
    assert directory.client.get("/en/?search=harapan&country=MY").text == posted.text


def test_turning_the_page_keeps_the_search(directory: Served) -> None:
    _listed(directory, *({"service_key": f"s{i}", "service_name": f"No {i}"} for i in range(45)))
    asked = {"search": "no", "country": "my", "service": "shelter"}
    page = Reading(directory.client.post("/en/", data={**asked, "page": "2"}).text)
    assert "Page 2 of 3" in page.text
    hidden = {one["name"]: one["value"] for one in page.all("input") if one["type"] == "hidden"}
    assert hidden == asked
    turns = [one["value"] for one in page.all("button") if one.get("name") == "page"]
    assert turns == ["1", "3"]
    assert page.all("ol")[0]["start"] == "21"


@pytest.mark.parametrize("page", ["999999", "99999", "46"])
def test_past_the_last_page_there_is_the_last_page(directory: Served, page: str) -> None:
    _listed(directory, *({"service_key": f"s{i}", "service_name": f"No {i}"} for i in range(25)))
    shown = _read(directory, f"/en/?page={page}")
    assert "25 services found" in shown.text
    assert shown.all("article")
    empty = _read(directory, f"/en/?page={page}&search=qzqzqz")
    assert "0 services found" in empty.text


def test_words_that_fit_nothing_are_said(directory: Served) -> None:
    _listed(directory, {})
    shown = _read(directory, "/en/?search=harapan+qzqcanary")
    assert "so they were left out: qzqcanary" in shown.text
    assert "1 service found" in shown.text


def test_an_unknown_filter_is_said_on_the_page(directory: Served) -> None:
    _listed(directory, {})
    shown = _read(directory, "/en/?service=%3Cscript%3E&country=my")
    assert "One of the filters was not understood" in shown.text
    assert "1 service found" in shown.text


@pytest.mark.parametrize(
    "query",
    ["search=%00", "search=%ff%fe", "search=%F0%9F%92%A9", "search=" + "ก" * 5000, "search=%22%22*",
     "search=NEAR(a+b)&search=2", "page[]=1", "lang=xx", "&&&==", "search=%25(num)s%25d{}"],
)  # fmt: skip
def test_a_hostile_query_is_only_words(directory: Served, query: str) -> None:
    _listed(directory, {})
    _read(directory, f"/ur/?{query}")


def test_a_listing_made_of_markup_is_shown_as_text(directory: Served) -> None:
    (only,) = _listed(directory, {**ADDRESS, "confidential": "no"})
    _spoil(directory.engine)
    for address in ("/en/", "/zh/", f"/en/services/{only}", f"/zh/services/{only}"):
        page = _read(directory, address)
        assert page.text.count(MARKUP) >= 2
        assert not page.all("img")
        assert not page.all("b")
        assert len(page.all("script")) == 1
        assert not any(name.startswith("on") for _, has in page.elements for name in has)
    # Its name, organisation, description, region, coverage, street and how to refer.
    assert _read(directory, f"/en/services/{only}").text.count(MARKUP) == 7


def _spoil(engine: Engine) -> None:
    """The importer refuses markup; the pages must not have to trust it."""
    changes = {
        "service": ("name", "description", "region", "referral_how"),
        "organisation": ("name", "description"),
        "place": ("address_1",),
    }
    with engine.begin() as connection:
        for table, columns in changes.items():
            spoilt = ", ".join(f"{column} = ?" for column in columns)
            connection.exec_driver_sql(f"UPDATE {table} SET {spoilt}", (MARKUP,) * len(columns))  # noqa: S608 - our own names
        names, places = json.dumps({"zh": MARKUP}), json.dumps([MARKUP + "2"])
        connection.exec_driver_sql("UPDATE service SET names = ?, coverage = ?", (names, places))


def test_markup_that_was_searched_for_is_shown_as_text(directory: Served) -> None:
    _listed(directory, {})
    page = Reading(directory.client.post("/en/", data={"search": MARKUP + " harapan"}).text)
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert [one["value"] for one in page.all("input") if one.get("name") == "search"] == [
        MARKUP + " harapan"
    ]


def test_listing_texts_are_isolated_from_the_pages_direction(directory: Served) -> None:
    (only,) = _listed(directory, {})
    for address in ("/ur/", f"/ur/services/{only}"):
        answer = directory.client.get(address).text
        for text in ("Rumah Harapan", "Harapan DEMO"):
            assert f"<bdi>{text}</bdi>" in answer
        assert '<bdi dir="ltr">+60 3-0000 0000</bdi>' in answer


@pytest.mark.parametrize("tag", INTERFACE_LANGUAGES)
def test_a_page_says_its_language_and_direction(directory: Served, tag: str) -> None:
    (only,) = _listed(directory, {})
    for address, status in (
        (f"/{tag}/", 200),
        (f"/{tag}/services/{only}", 200),
        (f"/{tag}/x", 404),
    ):
        page = _read(directory, address, status)
        (html,) = page.all("html")
        assert html == {"lang": tag, "dir": "rtl" if tag == "ur" else "ltr"}
        links = [one for one in page.all("a") if "hreflang" in one]
        assert [one["lang"] for one in links] == list(INTERFACE_LANGUAGES)
        assert [one["lang"] for one in links if "aria-current" in one] == [tag]
        assert [one["dir"] for one in links if one["lang"] == "ur"] == ["rtl"]


def test_another_language_shows_the_same_service(directory: Served) -> None:
    (only,) = _listed(directory, {})
    links = [one["href"] for one in _read(directory, f"/en/services/{only}").all("a")]
    assert f"/zh/services/{only}" in links
    shown = _read(directory, f"/zh/services/{only}")
    assert "希望之家" in shown.text
    # What to ask for by phone, where the name was translated.
    assert "Rumah Harapan" in shown.text


def test_only_translations_say_that_they_are_unreviewed(directory: Served) -> None:
    assert "not yet been reviewed" not in _read(directory, "/en/").text
    assert "尚未经母语者审阅" in _read(directory, "/zh/").text
    assert "DEMO" in _read(directory, "/en/").text


def test_a_confidential_place_is_said_to_be_one(directory: Served) -> None:
    (only,) = _listed(directory, {"confidential": "yes"})
    assert "Confidential. The place is told only" in _read(directory, f"/en/services/{only}").text


def test_an_open_place_is_shown(directory: Served) -> None:
    (only,) = _listed(directory, {**ADDRESS, "confidential": "no"})
    assert "1 Jalan Contoh, Klang, Selangor, 41000" in _read(directory, f"/en/services/{only}").text


def test_who_can_receive_is_told_apart_from_who_cannot_yet(directory: Served) -> None:
    ids = _listed(directory, {}, {"org_id": OTHER, "org_name": "Other DEMO", "country": "BD"})
    admit(directory.runtime.log, Member.new())
    pages = [_read(directory, f"/en/services/{one}").text for one in ids]
    (able,) = [text for text in pages if "Send an encrypted referral from your desk" in text]
    (unable,) = [text for text in pages if "cannot receive encrypted referrals yet" in text]
    assert "Harapan DEMO" in able
    assert "my-0123456789abcdef" in able
    assert "Other DEMO" in unable
    everything = _read(directory, "/en/").text
    assert everything.count("Cannot receive encrypted referrals yet") == 1
    assert everything.count("Receives encrypted referrals") == 1


def test_what_nobody_knows_is_said_and_not_left_blank(directory: Served) -> None:
    bare = ("populations", "availability", "phone", "coverage", "region", "confirmed_on")
    (only,) = _listed(directory, dict.fromkeys(bare, ""))
    page = _read(directory, f"/en/services/{only}").text
    assert page.count("not known: ask before going") == 5
    assert "Entered by one coordinator, unconfirmed" in page


def test_a_fictional_number_cannot_be_rung_and_a_real_one_can(directory: Served) -> None:
    (only,) = _listed(directory, {})
    assert not [one for one in _read(directory, "/en/").all("a") if "tel:" in one["href"]]
    with directory.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE organisation SET demo = 0")
    for address in ("/en/", f"/en/services/{only}"):
        rung = [one["href"] for one in _read(directory, address).all("a") if "tel:" in one["href"]]
        assert rung == ["tel:+60300000000"]


@pytest.mark.parametrize(
    ("address", "wanted", "tag"),
    [
        (f"/ur/services/{NOWHERE}", "", "ur"),
        ("/ta/services/not-a-uuid", "", "ta"),
        ("/bn/anything/at/all", "", "bn"),
        ("/fr/", "th,en;q=0.5", "th"),
        ("/fr/", "", "en"),
        ("/EN/", "", "en"),
        ("/en/static/pages.css", "", "en"),
    ],
)
def test_an_unknown_address_is_answered_in_the_readers_language(
    directory: Served, address: str, wanted: str, tag: str
) -> None:
    answer = directory.client.get(address, headers={"Accept-Language": wanted} if wanted else {})
    assert answer.status_code == 404
    page = Reading(answer.text)
    assert page.all("html")[0]["lang"] == tag
    assert f"/{tag}/" in [one["href"] for one in page.all("a")]
    assert NOWHERE not in page.text


@pytest.mark.parametrize(
    "address", ["/services/not-a-uuid", f"/services/{NOWHERE}", "/nothing/at/all"]
)
def test_programs_are_answered_with_problem_details(directory: Served, address: str) -> None:
    answer = directory.client.get(address)
    assert (answer.status_code, answer.content_type) == (404, MEDIA_TYPE)


def test_a_request_that_is_too_large_is_refused_on_a_page(directory: Served) -> None:
    answer = directory.client.post("/ms/", data={"search": "x" * 70_000})
    assert answer.status_code == 413
    assert "Ini tidak berjaya" in answer.text


def test_our_own_failure_says_nothing_of_its_cause(
    directory: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise ValueError("qzqcanary")

    monkeypatch.setattr("directory.pages.views.services_by_id", fail)
    _listed(directory, {})
    answer = directory.client.post("/id/", data={"search": "qzqcanary"})
    assert answer.status_code == 500
    page = Reading(answer.text)
    assert page.all("html")[0]["lang"] == "id"
    assert "bukan di pihak Anda" in page.text
    assert "qzqcanary" not in answer.text
    assert "qzqcanary" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("address", ["/en/", "/en/services/{}", "/en/services/x", "/fr/"])
def test_a_page_sets_no_cookie_and_keeps_nothing_elsewhere(directory: Served, address: str) -> None:
    (only,) = _listed(directory, {})
    answer = directory.client.get(address.format(only))
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"] == CSP
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    page = Reading(answer.text)
    (title,) = re.findall(r"<title>(.*)</title>", answer.text)
    assert title == "Services"
    loaded = [one["src"] for one in page.all("script")] + [one["href"] for one in page.all("link")]
    assert all(one == "data:," or one.startswith("/static/") for one in loaded)
    assert not page.all("style")
    assert not any("style" in has for _, has in page.elements)


def test_what_was_found_is_kept_for_one_step_back_only(directory: Served) -> None:
    answer = directory.client.post("/en/", data={"search": "harapan"})
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Set-Cookie" not in answer.headers


def test_the_style_sheet_and_the_script_are_served_once_for_all_languages(
    directory: Served,
) -> None:
    for name, kind in (("pages.css", "text/css"), ("leave.js", "text/javascript")):
        answer = directory.client.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.mimetype == kind
        answer.close()
