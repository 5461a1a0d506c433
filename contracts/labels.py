"""What a reader sees for a code: every code list of the agreement, in the network's languages.

    label("urgencies", "urgent_72h", "bn")      labels("settings", "ms")

The tables are `labels/<language>.json` beside this file, for the desk, the directory and partners
alike; `reviewed` says whether anybody who speaks the language has checked them. Beside the lists
of `codes` they have "state", "side", "move" (a step, as what its author does), "message_types",
"place" and "journey".

What a table lacks is shown in English, and a code that only a newer partner knows as itself: that
is no error. Names of countries and languages come from CLDR, not from here.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

__all__ = ["label", "labels", "languages", "reviewed"]

_FALLBACK: Final = "en"
_UNSAID: Final = "unsaid"  # its words may stand beside those of every other list


def label(list_name: str, code: str, language: str) -> str:
    """A code as a reader of this language sees it; `language` is a tag such as "ms".

    Raises `KeyError` for a list that does not exist: list names are ours, codes may be a peer's.
    """
    shown = labels(list_name, language).get(code) or labels(_UNSAID, language).get(code)
    return code.replace("_", " ") if shown is None else shown


def labels(list_name: str, language: str) -> Mapping[str, str]:
    """Every code of a list with its label, in the list's own order. Raises `KeyError`."""
    return _labels(list_name, language if language in languages() else _FALLBACK)


@cache
def languages() -> tuple[str, ...]:
    """The tags of the languages that have a table, sorted."""
    folder = files("contracts") / "labels"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def reviewed(language: str) -> bool:
    """Whether somebody who speaks the language has checked its table; False where there is none."""
    return language in languages() and _table(language).get("reviewed") is True


@cache
def _labels(list_name: str, language: str) -> Mapping[str, str]:
    own = _table(language)["lists"].get(list_name, {})
    english = _table(_FALLBACK)["lists"][list_name]
    return MappingProxyType({code: own.get(code) or text for code, text in english.items()})


@cache
def _table(language: str) -> Mapping[str, Any]:
    file = files("contracts") / "labels" / f"{language}.json"
    table: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return table
