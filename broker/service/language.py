"""Which language a page is in; the only file that knows Flask-Babel.

    install_languages(app, languages=("en", "ms", "ur"), translations=Path(...))

The language is the view's `<lang>` argument where its address has one, else what the browser
asks for, else English; an app may give a selector of its own. Addresses made by `url_for` keep
the language. Every template sees `language`, `direction` and `languages` (pairs of tag and the
language's own name). What has no translation is shown in English.

Catalogues are `<translations>/<tag>/LC_MESSAGES/messages.po`, compiled by `catalogues`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

import flask_babel
from flask import Flask, abort, current_app, g, has_request_context, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from broker.service.logs import logger

__all__ = [
    "OWN_NAMES",
    "Text",
    "current_language",
    "direction",
    "gettext",
    "install_languages",
    "lazy_gettext",
    "negotiate",
    "ngettext",
]

_log = logger(__name__)

FALLBACK: Final = "en"

# How each language calls itself, as its readers look for it in a list.
OWN_NAMES: Final[Mapping[str, str]] = {
    "en": "English",
    "ms": "Bahasa Melayu",
    "bn": "বাংলা",
    "zh": "中文",
    "id": "Bahasa Indonesia",
    "si": "සිංහල",
    "ta": "தமிழ்",
    "th": "ไทย",
    "ur": "اردو",
    "vi": "Tiếng Việt",
}
_RIGHT_TO_LEFT: Final = frozenset({"ur", "ar", "fa", "ps", "sd"})
# Tags that browsers still send for a language by another name.
_ALIASES: Final = {"in": "id", "msa": "ms", "may": "ms"}

_EXTENSION: Final = "rujukan_languages"


class Text(Protocol):
    """A text that is translated when it is shown (`str()`, a template), not when it is made."""

    def __html__(self) -> str: ...


def install_languages(
    app: Flask,
    *,
    languages: Sequence[str],
    translations: Path,
    selector: Callable[[], str | None] | None = None,
) -> None:
    """Let `app` speak `languages`, tags such as "ms", with the catalogues under `translations`.

    `selector` gives the language of the current request, or None for the browser's wish. An
    address whose `<lang>` is none of `languages` is not found.
    """
    app.extensions[_EXTENSION] = tuple(languages)
    _tell_missing(languages, translations)
    flask_babel.Babel(
        app,
        default_locale=FALLBACK,
        default_translation_directories=str(translations.absolute()),
        locale_selector=lambda: _select(selector),
    )
    app.url_value_preprocessor(_take_language)
    app.url_defaults(_keep_language)
    app.context_processor(_for_templates)


def current_language() -> str:
    """The tag of the language this request is answered in; English outside of a request."""
    return str(flask_babel.get_locale()) if has_request_context() else FALLBACK


def direction(lang: str) -> Literal["ltr", "rtl"]:
    """Which way `lang` is written: the value of HTML's `dir`."""
    return "rtl" if lang.replace("_", "-").partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def negotiate(accept_header: str, languages: Sequence[str]) -> str:
    """The one of `languages` that an Accept-Language header asks for most (RFC 9110, §12.5.4).

    A regional tag matches its language ("bn-BD" is "bn"); without a match it is English where
    that is offered, else the first.
    """
    wanted = parse_accept_header(accept_header, LanguageAccept)
    # By themselves, exact tags win over better liked regional ones: "bn-BD,en;q=0.5" would be "en".
    known = LanguageAccept([(_offered(tag, languages), quality) for tag, quality in wanted])
    default = FALLBACK if FALLBACK in languages else languages[0]
    return known.best_match(languages, default)


def _offered(tag: str, languages: Sequence[str]) -> str:
    primary = tag.lower().partition("-")[0]
    primary = _ALIASES.get(primary, primary)
    return primary if primary in languages else tag


def gettext(text: str, **values: object) -> str:
    """`text` in the language of this request; `%(name)s` is filled from `values` afterwards."""
    return cast("str", flask_babel.gettext(text, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """The form for `num` things, which `%(num)s` in it stands for."""
    return cast("str", flask_babel.ngettext(one, many, num, **values))


def lazy_gettext(text: str, **values: object) -> Text:
    """`text`, translated each time it is shown: for tables and labels made at import."""
    return cast("Text", flask_babel.lazy_gettext(text, **values))


def _select(selector: Callable[[], str | None] | None) -> str:
    languages: tuple[str, ...] = current_app.extensions[_EXTENSION]
    chosen = selector() if selector is not None else g.get("lang")
    if chosen in languages:
        return cast("str", chosen)
    return negotiate(request.headers.get("Accept-Language", ""), languages)


def _take_language(_endpoint: str | None, values: MutableMapping[str, Any] | None) -> None:
    lang = (values or {}).get("lang")
    if lang is not None and lang not in current_app.extensions[_EXTENSION]:
        abort(404)
    g.lang = lang


def _keep_language(endpoint: str, values: MutableMapping[str, Any]) -> None:
    if "lang" not in values and current_app.url_map.is_endpoint_expecting(endpoint, "lang"):
        values["lang"] = current_language()


def _for_templates() -> dict[str, object]:
    language = current_language()
    languages = current_app.extensions[_EXTENSION]
    return {
        "language": language,
        "direction": direction(language),
        "languages": [(tag, OWN_NAMES.get(tag, tag)) for tag in languages],
    }


def _tell_missing(languages: Sequence[str], translations: Path) -> None:
    """A catalogue nobody compiled would look like a language nobody translated."""
    for tag in languages:
        catalogue = translations / tag / "LC_MESSAGES" / "messages"
        if catalogue.with_suffix(".po").exists() and not catalogue.with_suffix(".mo").exists():
            _log.warning("catalogue_not_compiled", language=tag)
