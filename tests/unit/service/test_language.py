"""The language of a page: who chooses, what happens without a translation, which way it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, render_template_string, url_for
from hypothesis import given
from hypothesis import strategies as st

from broker.service.catalogues import CatalogueError, compile_catalogues
from broker.service.language import (
    OWN_NAMES,
    current_language,
    direction,
    gettext,
    install_languages,
    lazy_gettext,
    negotiate,
    ngettext,
)

LANGUAGES = tuple(OWN_NAMES)
HEADER = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {plural}\\n"'
)
TWO = "nplurals=2; plural=(n > 1);"
ONE = "nplurals=1; plural=0;"
BENGALI = (
    'msgid "Find"\nmsgstr "খুঁজুন"\n\n'
    'msgid "%(num)s service"\nmsgid_plural "%(num)s services"\n'
    'msgstr[0] "%(num)s টি সেবা"\nmsgstr[1] "%(num)s টি সেবাসমূহ"\n'
)
MALAY = (
    'msgid "Find"\nmsgstr "Cari"\n\n'
    'msgid "%(num)s service"\nmsgid_plural "%(num)s services"\n'
    'msgstr[0] "%(num)s perkhidmatan"\n'
)

LABEL = lazy_gettext("Find")


@pytest.fixture
def translations(tmp_path: Path) -> Path:
    for tag, plural, body in (("bn", TWO, BENGALI), ("ms", ONE, MALAY)):
        write(tmp_path, tag, f"{HEADER.format(plural=plural)}\n\n{body}")
    assert compile_catalogues([tmp_path]) == 2
    return tmp_path


@pytest.fixture
def app(translations: Path) -> Flask:
    app = Flask("toy")
    install_languages(app, languages=LANGUAGES, translations=translations)

    @app.get("/<lang>/find")
    def find(lang: str) -> str:
        words = [
            current_language(),
            gettext("Find"),
            f"{LABEL}",
            ngettext(*PLURAL, 2),
            url_for("find"),
        ]
        return "|".join([lang, *words])

    @app.get("/")
    def entry() -> str:
        return render_template_string(
            "{{ language }} {{ direction }} {{ languages | length }} {{ _('Find') }}"
        )

    return app


PLURAL = ("%(num)s service", "%(num)s services")


def write(folder: Path, tag: str, text: str) -> Path:
    path = folder / tag / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_address_chooses_and_links_keep_the_choice(app: Flask) -> None:
    said = app.test_client().get("/bn/find", headers={"Accept-Language": "ms"}).text
    assert said == "bn|bn|খুঁজুন|খুঁজুন|2 টি সেবাসমূহ|/bn/find"


def test_a_language_with_one_plural_form_has_one(app: Flask) -> None:
    assert "2 perkhidmatan" in app.test_client().get("/ms/find").text


def test_what_is_not_translated_is_english(app: Flask) -> None:
    said = app.test_client().get("/th/find").text
    assert said == "th|th|Find|Find|2 services|/th/find"


@pytest.mark.parametrize("lang", ["xx", "..", "en_US", "EN", "zh_Hans"])
def test_a_language_that_is_not_offered_is_not_found(app: Flask, lang: str) -> None:
    assert app.test_client().get(f"/{lang}/find").status_code == 404


def test_without_a_choice_the_browser_is_asked_and_templates_know(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/", headers={"Accept-Language": "ur-PK"}).text == "ur rtl 10 Find"
    assert client.get("/", headers={"Accept-Language": "ms"}).text == "ms ltr 10 Cari"
    assert client.get("/").text == "en ltr 10 Find"


def test_an_app_may_choose_by_itself(translations: Path) -> None:
    app = Flask("desk")
    install_languages(
        app, languages=("en", "ms", "bn"), translations=translations, selector=lambda: "bn"
    )
    app.add_url_rule("/", "entry", lambda: gettext("Find"))
    assert app.test_client().get("/", headers={"Accept-Language": "ms"}).text == "খুঁজুন"


def test_outside_a_request_it_is_english() -> None:
    assert current_language() == "en"


def test_a_catalogue_nobody_compiled_is_told(
    translations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (translations / "bn" / "LC_MESSAGES" / "messages.mo").unlink()
    install_languages(Flask("toy"), languages=("en", "bn"), translations=translations)
    assert "catalogue_not_compiled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("bn-BD,bn;q=0.9,en;q=0.8", "bn"),
        ("fr-FR, th;q=0.5, en;q=0.4", "th"),
        ("zh-CN", "zh"),
        ("zh-Hans-CN", "zh"),
        ("in-ID", "id"),
        ("si-LK", "si"),
        ("MS", "ms"),
        ("fr", "en"),
        ("ta;q=0", "en"),
        ("*", "en"),
        (";;;,,q=", "en"),
    ],
)
def test_the_browser_s_wish_is_met_as_far_as_possible(header: str, language: str) -> None:
    assert negotiate(header, ("en", *LANGUAGES)) == language


@given(st.text())
def test_no_header_breaks_the_choice(header: str) -> None:
    assert negotiate(header, ("ms", "bn")) in {"ms", "bn"}


def test_only_urdu_of_the_ten_runs_from_the_right() -> None:
    assert [lang for lang in LANGUAGES if direction(lang) == "rtl"] == ["ur"]
    assert direction("ur-PK") == "rtl"


def test_a_fresh_catalogue_is_not_compiled_again(translations: Path) -> None:
    assert compile_catalogues([translations]) == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('msgid "%(name)s is here"\nmsgstr "nama di sini %(nama)s"', "placeholder"),
        ("msgid no quotes", "messages.po"),
    ],
)
def test_a_translation_that_would_fail_on_the_page_is_refused(
    tmp_path: Path, body: str, said: str
) -> None:
    po = write(tmp_path, "ms", f"{HEADER.format(plural=ONE)}\n\n#, python-format\n{body}\n")
    with pytest.raises(CatalogueError, match=said):
        compile_catalogues([tmp_path])
    assert not po.with_suffix(".mo").exists()


def test_a_fuzzy_translation_is_left_out(tmp_path: Path) -> None:
    po = write(
        tmp_path, "ms", f'{HEADER.format(plural=ONE)}\n\n#, fuzzy\nmsgid "Find"\nmsgstr "Salah"\n'
    )
    compile_catalogues([tmp_path])
    assert b"Salah" not in po.with_suffix(".mo").read_bytes()
