"""What must not stand in a text is found in every script, and what is harmless is let through.

Names, places and numbers are invented; no number can be dialled.
"""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bodies import (
    Body,
    Channel,
    CodeWords,
    Contact,
    District,
    Document,
    IdentityReleased,
    MeetingPlace,
    Name,
    Note,
    NotToContact,
    ReferralAccepted,
    ReferralRequested,
)
from contracts.examples import example_body
from contracts.messages import BODIES, read_body
from contracts.texts import findings, texts_of

MOST = 4_000  # characters of a note
NOBODY = IdentityReleased(name=Name("Zq"))


def example(name: str) -> Body:
    return read_body(name, example_body(name))


def request() -> ReferralRequested:
    body = example("referral.requested")
    assert isinstance(body, ReferralRequested)
    return body


REQUEST = request()


def codes(
    text: str, *, identity: IdentityReleased | None = None, language: str = "eng"
) -> set[str]:
    body = replace(REQUEST, note=Note(text, language))
    return {finding.code for finding in findings(body, identity=identity)}


def repeats(text: str, identity: IdentityReleased, *, language: str = "eng") -> bool:
    return "text_repeats_identity" in codes(text, identity=identity, language=language)


def named(full: str, known_as: str | None = None) -> IdentityReleased:
    return IdentityReleased(name=Name(full, known_as))


def reached(kind: str, value: str) -> IdentityReleased:
    contact = Contact("direct", channels=(Channel(kind, value),))
    return replace(NOBODY, contact=contact)


# Numbers


NUMBERS = (
    "0000000000",
    "000-000 0000",
    "0 0 0 - 0 0 0 0 0 0 0",
    "000 -- 000 -- 0000",
    "(000) 000.0000",
    "+00 00 000 0000",
    "000,000,0000",
    "000:000:0000",
    "000*000*0000",
    "000_000_0000",
    "000\t000\n0000",
    "00 0 00 00 00 0",
    "000 dash 000 dash 0000",
    "call 0000000 soon",
    "০০০০০০০০০",  # Bangla
    "०००००००००",  # Devanagari
    "๐๐๐๐๐๐๐๐๐",  # Thai
    "௦௦௦௦௦௦௦௦௦",  # Tamil
    "෦෦෦෦෦෦෦෦෦",  # Sinhala
    "٠٠٠٠٠٠٠٠٠",  # Arabic
    "۰۰۰۰۰۰۰۰۰",  # Urdu
    "០០០០០០០០០",  # Khmer
    "၀၀၀၀၀၀၀၀၀",  # Myanmar
    "০0๐۰௦०٠",  # one of each
    "０００００００",  # full width
    "𝟎𝟎𝟎𝟎𝟎𝟎𝟎",  # bold
    "①②③④⑤⑥⑦",
    "❶❷❸❹❺❻❼",
    "⁰⁰⁰⁰⁰⁰⁰",
    "0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣0️⃣",  # keycaps
    "〇〇〇〇〇〇〇〇",  # Chinese numerals
    "一三八零零零零零零零零",
    "0\u200b0\u200b0\u200b0\u200b0\u200b0\u200b0",  # zero width
    "0\u00ad00\u00ad0000",  # soft hyphens
    "0\u202e00\u202c0000",  # a direction mark
    "0\u03360\u03360\u03360\u03360\u03360\u03360",  # struck through
    "A0000000",
    "AB-0000000",
    "EK0000000",
    "000-00C00000",  # a refugee card's
    "000000-00-0000",
    "900101-14-2034",  # looks like a day at its end
    "00000-0000000-0",
    "2012-34-5678",  # a day with no such month
    "RM 0000000000",  # no amount begins with nought
    "0000abcd-0000-5000-8000-00000000000a",
    "abcdefabcdefabcdefabcdefabcdefab",
)


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_that_slips_through(text: str) -> None:
    assert "text_has_number" in codes(text)
    assert "text_has_number" in codes(f"Please ring her ({text}) after ten.")


@given(
    st.lists(st.sampled_from("0০०๐௦෦٠۰០၀０𝟎"), min_size=7, max_size=15),
    st.sampled_from(["", " ", "-", " - ", ".", "/", " / ", "\u200b", "\u2013", "\u00a0", "_"]),
)
def test_a_number_in_any_digits_behind_any_separator(digits: list[str], between: str) -> None:
    assert "text_has_number" in codes(f"x {between.join(digits)} x")


HARMLESS = (
    "2026-11-21",
    "21/11/2026",
    "11/21/2026",
    "21.11.2026, 10 - 12",
    "2026-11-21T08:30:00Z",
    "2026-11-21T08:30:00+08:00",
    "21/11/2569 in Thailand's calendar",
    "from 21/11/26 to 25/11/26",
    "21/11/26 - 25/11/26",
    "21/11/2026-25/11/2026",
    "২১/১১/২০২৬",
    "2026年11月21日",
    "二〇二六年十一月二十一日",
    "1/2026 - 12/2026",
    "2024-2026",
    "B.E. 2551 (2008)",
    "Decree 162/2025, Law 53/2024/QH15, Law 91/2025/QH15",
    "09:30 - 12:45",
    "08.30-10.00",
    "on 3 March 2026 at 10.30, and on 4 March 2026 at 11.00",
    "2 of 5",
    "18-24, 25-34",
    "children aged 4, 7, 11, 14 and 16",
    "10, 12, 14, 16, 18 years",
    "3-4 rooms, 10-15 people, 24/7",
    "RM 1,200.00",
    "RM1200.50 - RM1500.00",
    "RM 12000",
    "Tk 50000",
    "৳ 50000",
    "Rp 1.500.000",
    "Rs 1,00,000",
    "1,200,000 in all",
    "50000 baht",
    "150000000 dong",
    "call 16135 or 1300",
    "COVID-19 2020-2021",
    "meet @ 10.30 am",
    "safe.My colleague knows",
    "She is pregnant and needs a doctor who speaks Bangla.",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_date_an_amount_or_a_time_that_is_refused(text: str) -> None:
    assert codes(text) == set()
    assert codes(f"She said: {text}.") == set()


@pytest.mark.parametrize(
    "text", ["zero one seven, one two three", "flat 000123", "the house by the river"]
)
def test_holes_in_the_net_that_the_screens_speak_of(text: str) -> None:
    """Known and left: closing them would refuse what people have to write."""
    assert codes(text) == set()


# Addresses


@pytest.mark.parametrize(
    "text",
    [
        "x@demo.example",
        "x (at) demo (dot) example",
        "x[at]demo.example",
        "somebody at gmail dot com",
        "x @ demo.example",
        "x＠demo．example",
        "x@\u200bdemo.example",
        "সে@ডেমো.বাংলা",
        "她@例子.公司",
        "@demo_account",
        "demo.com",
        "on demo.com/somebody",
        "bit.ly/demo",
        "https://demo.example",
        "HTTP://DEMO",
        "www.demo",
        "t.me/demo",
        "wa.me/demo",
    ],
)
def test_an_address_that_slips_through(text: str) -> None:
    assert "text_has_address" in codes(f"write to {text} please")


@pytest.mark.parametrize(
    "text", ["meet @ 10", "2 rooms @ RM50", "e.g. this", "etc.my", "safe.She knows", "no dot there"]
)
def test_a_text_without_an_address_is_refused(text: str) -> None:
    assert codes(text) == set()


# What the identity draft holds


FOUND = (
    ("Moyurakkhi Shalik", "please help Moyurakkhi", "eng"),
    ("Moyurakkhi Shalik", "SHALIK's sister", "eng"),
    ("Moyurakkhi Shalik", "moyurakkhi's phone", "eng"),
    ("Moyurakkhi Shalik", "Mo\u200byurakkhi", "eng"),
    ("Moyurakkhi Shalik", "Ｍｏｙｕｒａｋｋｈｉ", "eng"),
    ("Jose Demo", "José is here", "eng"),
    ("José Demo", "Jose is here", "eng"),
    ("Siti binti Demo", "Siti is safe", "eng"),
    ("Siti binti Demo", "siti is safe", "eng"),  # nothing in the text has a capital
    ("Nguyễn Thị Hoa", "chị Hoa ở đây", "vie"),
    ("Nguyễn Thị Hoa", unicodedata.normalize("NFD", "chị Nguyễn ở đây"), "vie"),
    (unicodedata.normalize("NFD", "Nguyễn Thị Hoa"), "Nguyễn", "vie"),
    ("Nguyễn Thị Hoa", "Nguyen said", "eng"),
    ("Nguyen Thi Hoa", "chị Nguyễn", "vie"),
    ("Đặng An", "Dang came", "eng"),
    ("Li Na", "we met Li Na", "eng"),  # two short words side by side
    ("Li Na", "we met na li today", "eng"),
    ("রহিমা বেগম", "রহিমা ভালো আছে", "ben"),
    ("রহিমা বেগম", "রহিমার ফোন", "ben"),  # with an ending
    ("சங்கர் குமார்", "குமாரின் வீடு", "tam"),
    ("නිමල් පෙරේරා", "නිමල්ගේ ගෙදර", "sin"),
    ("عائشہ بی بی", "عائشہ محفوظ ہے", "urd"),
    ("علي دمو", "علی محفوظ ہے", "urd"),  # an Arabic keyboard's letter
    ("عَلی دمو", "علی محفوظ ہے", "urd"),  # with a vowel sign
    ("สมศรี ใจดี", "คุณสมศรีปลอดภัย", "tha"),
    ("นก ใจดี", "เธอชื่อ นก ค่ะ", "tha"),  # a short one, standing alone
    ("王小红", "她叫王小红。", "zho"),
    ("王小红", "小红安全", "zho"),  # the given name
    ("李 娜", "她叫李娜", "zho"),
    ("李娜", "李 娜", "zho"),
    ("김수진", "수진은 안전", "kor"),
)


@pytest.mark.parametrize(("full", "text", "language"), FOUND)
def test_a_name_that_slips_through(full: str, text: str, language: str) -> None:
    assert repeats(text, named(full), language=language)
    assert repeats(text, named("Zq", known_as=full), language=language)


LET_THROUGH = (
    ("May Demo", "she may need a doctor in Dhaka", "eng"),
    ("Rose Demo", "the price rose in March", "eng"),
    ("Li", "Li is here", "eng"),  # a word of two letters alone: in too many texts
    ("An Demo", "An interpreter is needed", "eng"),
    ("Mo", "MO clinic", "eng"),
    ("Nguyễn Thị Hoa", "Thì tôi nói: bây giờ thì không.".replace("Thì", "Khi"), "vie"),
    ("Trần Thanh Trang", "trang này nói về thanh niên ở Hà Nội", "vie"),
    ("নীল দত্ত", "আকাশ পরিষ্কার", "ben"),
    ("นก ใจดี", "เธอเห็นนกหลายตัว", "tha"),
    ("王", "国王", "zho"),
    ("Moyurakkhi Shalik", "She is safe and wants counselling.", "eng"),
)


@pytest.mark.parametrize(("full", "text", "language"), LET_THROUGH)
def test_an_ordinary_word_that_is_taken_for_a_name(full: str, text: str, language: str) -> None:
    assert not repeats(text, named(full), language=language)


@given(
    st.text(st.characters(categories=["Lu", "Ll", "Lo"], max_codepoint=0x9FFF), min_size=5),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
)
def test_a_whole_name_as_it_is_written_in_any_normalisation(name: str, form: str) -> None:
    identity = named(name)
    spelt = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # a list of literals
    assert repeats(f"We met {spelt} today.", identity) == repeats(name, identity)


@given(st.from_regex(r"[A-Z][a-z]{4,12} [A-Z][a-z]{4,12}", fullmatch=True), st.text(max_size=60))
def test_a_name_between_any_other_words(name: str, around: str) -> None:
    assert repeats(f"{around} {name.split()[0]} {around}", named(name))


def draft_of_the_example() -> IdentityReleased:
    body = example("identity.released")
    assert isinstance(body, IdentityReleased)
    return body


DRAFT = draft_of_the_example()


def test_the_ordinary_words_of_a_draft_refuse_every_text() -> None:
    """Its district and code words are sentences; "the" is in them and in every note."""
    text = "The girl needs a place on Monday; it rained, and the street is wet. Invented? No."
    assert not repeats(text, DRAFT)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("she comes from Tamarindpur", True),
        ("she comes from tamarindpur", True),
        ("near the market and the mosque", False),
        ("Near the market", False),
    ],
)
def test_a_place_below_the_first_level_is_told_and_its_surroundings_are_not(
    text: str, found: bool
) -> None:
    draft = replace(NOBODY, district=District("BD-C", "Near the market in Tamarindpur"))
    assert repeats(text, draft) == found
    assert repeats(text, reached("visit", "Near the market in Tamarindpur")) == found


def test_a_chinese_village_within_a_longer_address() -> None:
    draft = replace(NOBODY, district=District("CN-GD", "某某市虚构镇五号"))
    assert repeats("她住在虚构镇五号附近", draft)
    assert not repeats("她住在市里", draft)


def test_somebody_who_must_not_learn_of_it_is_named() -> None:
    draft = replace(NOBODY, do_not_contact=(NotToContact("recruiter", "the agent Korimoddin"),))
    assert repeats("Korimoddin is looking for her", draft)
    assert not repeats("The agent is looking for her", draft)
    assert repeats("ask Korimoddin", reached("trusted_person", "her uncle Korimoddin"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("say the blue umbrella", True),
        ("THE BLUE UMBRELLA!", True),
        ("the umbrella is blue", False),
        ("the blue one", False),
    ],
)
def test_the_code_words_are_told_before_they_are_agreed(text: str, found: bool) -> None:
    words = CodeWords("the blue umbrella", "yes")
    assert repeats(text, replace(NOBODY, code_words=words)) == found


def test_a_code_word_of_two_chinese_characters() -> None:
    draft = replace(NOBODY, code_words=CodeWords("蓝伞", "是"))
    assert repeats("先说蓝伞再走", draft)
    assert not repeats("她是安全的", draft)


def test_a_code_word_that_stands_in_every_text() -> None:
    assert not repeats("yes, she agreed", replace(NOBODY, code_words=CodeWords("yes", "no")))


@pytest.mark.parametrize("kind", ["call", "text_message", "messenger"])
@pytest.mark.parametrize(
    "text", ["00 then 00012 then 345", "+00 (00) 00 then 123 and 45", "zero 00\n00 x 0012345"]
)
def test_a_telephone_number_with_words_between(kind: str, text: str) -> None:
    assert repeats(text, reached(kind, "+99 00 0001 2345"))


def test_few_digits_here_and_there_are_taken_for_a_short_number() -> None:
    draft = replace(NOBODY, documents=(Document("other", "person", "12345"),))
    assert repeats("her card, 123-45, is kept", draft)
    assert not repeats("1 of 2; 3 rooms; 45 people", draft)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("demo.user88", "her name there is demo user 88"),
        ("DemoUser", "she is demouser"),
        ("zq123", "she is zq123"),
    ],
)
def test_an_account_is_told(value: str, text: str) -> None:
    assert repeats(text, reached("messenger", value))
    assert not repeats("She has an account there.", reached("messenger", value))


@pytest.mark.parametrize("text", ["2003-04-12", "12/04/2003", "4.12.2003", "12/4/03", "12/04/2546"])
def test_a_birthday_is_told(text: str) -> None:
    draft = replace(NOBODY, date_of_birth="2003-04-12")
    assert repeats(f"born {text}", draft)
    assert not repeats(f"born {text}", replace(NOBODY, date_of_birth="2003"))
    assert not repeats("arrived 2026-11-21, aged 23", draft)


def test_a_draft_is_never_compared_where_there_is_none() -> None:
    assert codes("DEMO Person One") == set()


# Which texts


def test_a_text_that_is_not_looked_at() -> None:
    for name in BODIES:
        body = example(name)
        looked_at = [path for path, _ in texts_of(body)]
        assert all(path.endswith("/text") for path in looked_at)
        if getattr(body, "note", None) is not None:
            assert "/note/text" in looked_at, name


def test_a_meeting_place_with_a_telephone_number() -> None:
    place = MeetingPlace("airport", "Ask at 0000 0000 for her.")
    body = ReferralAccepted("caseworker", meeting_place=place)
    assert [(one.code, one.field) for one in findings(body)] == [
        ("text_has_number", "/meeting_place/text")
    ]


@given(st.text(min_size=1, max_size=200))
def test_a_text_that_breaks_the_check_or_comes_back_out_of_it(text: str) -> None:
    body = replace(REQUEST, note=Note(text, "und"))
    draft = named(text)
    for finding in findings(body, identity=draft):
        assert finding.field == "/note/text"
        assert finding.code.startswith("text_")


def test_a_name_that_comes_out_in_a_finding() -> None:
    said = f"Moyurakkhi {'0' * 9} x@demo.example"
    found = findings(replace(REQUEST, note=Note(said, "eng")), identity=named("Moyurakkhi"))
    assert {one.code for one in found} == {
        "text_has_address",
        "text_has_number",
        "text_repeats_identity",
    }
    assert not any(word in repr(found) for word in said.split())


# Time


REPEATED = (
    "1 ", "1", "1---", "1------", "a", "a@", "@", "@a", "12/", "a1", "1,111", "rm 1.11", "f",
    "00000000-0000-", "10.30-", "21/11/26 - ", " ", "(at", " dot ", "a.", "1..", "2026-", "A a ",
    "\ufdfa", "\u200b", "a\u0300", "রহিমা ", "রহিমা1", "สมศรี", "李", "عَ", "Nguyễn ",
    "0\ufe0f\u20e3",
)  # fmt: skip
HOSTILE = (
    *((part * MOST)[:MOST] for part in REPEATED),
    "a" * (MOST - 1) + "@",
    "@" + "a" * (MOST - 1),
    "".join(chr(0x100 + number) for number in range(MOST)),
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_note_that_keeps_the_desk_busy(text: str) -> None:
    """A quadratic pattern took a quarter of a second; the bound leaves room for slow machines."""
    assert len(text) == MOST
    assert min(_seconds(text) for _ in range(3)) < 0.08


def _seconds(text: str) -> float:
    body = replace(REQUEST, note=Note(text, "eng"))
    begun = time.process_time()
    findings(body, identity=DRAFT)
    return time.process_time() - begun
