"""What a finding says to a caseworker: always a next step, and nobody is quoted."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import partial, reduce
from typing import Any, get_args, get_type_hints

import pytest

from contracts.bodies import (
    Channel,
    Contact,
    IdentityReleased,
    Name,
    Note,
    ReferralRequested,
)
from contracts.errors import ContractError
from contracts.findings import Finding, Rule
from contracts.lifecycle import Side
from contracts.messages import BODIES
from contracts.safety import SENTENCES, check_request
from contracts.texts import findings as findings_in_text
from tests.unit.contracts.rules import (
    CHILD,
    LAWYER,
    NOW,
    PLAIN,
    PROFILES,
    REFUSE,
    REQUESTS,
    SAID,
    SHELTER,
    TWO,
    changed,
    checked,
    example,
    of,
    said,
)

TEXTS = ("Zqzqzq", "0000000", "x@demo.example")


def _produced() -> Iterator[Finding]:
    for _, _, changes, more in REQUESTS:
        yield from checked(changes, **more)
    for _, _, body, request, more in SAID:
        yield from said(body, request, **more)
    for text in TEXTS:
        body = replace(PLAIN, note=Note(text, "eng"))
        yield from findings_in_text(body, identity=IdentityReleased(Name("Zqzqzq")))


FOUND = frozenset(_produced())


def test_a_finding_without_a_sentence_or_a_sentence_without_a_finding() -> None:
    assert {one.code for one in FOUND} == set(SENTENCES)


def test_every_rule_has_a_finding() -> None:
    assert {one.rule for one in FOUND} == set(Rule)


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_that_leaves_a_caseworker_alone(code: str) -> None:
    """What happened, that nothing was sent where it was not, and who does what next."""
    text = SENTENCES[code]
    weights = {one.weight for one in FOUND if one.code == code}
    assert len(weights) == 1
    assert ("Nothing was sent" in text) == (weights == {REFUSE})
    assert any(word in text.replace(",", "").replace(":", "").split() for word in NEXT), text
    assert text.endswith(".")


NEXT = ("Ask", "Add", "Leave", "Choose", "Take", "Record", "Read", "Make", "Tell", "Seek", "Talk",
        "Go", "agree", "Explain", "must", "Both")  # fmt: skip


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_that_holds_more_than_a_members_name(code: str) -> None:
    open_words = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name}
    assert open_words <= {"field"}
    assert set("{}") & set(SENTENCES[code].format(field="")) == set()


def test_a_field_that_no_message_declares() -> None:
    declared = {name for kind in BODIES.values() for name in _names(kind, set())}
    named = {word for one in FOUND for word in one.field.strip("/").split("/") if word}
    assert named <= declared | {"text"}


def _names(kind: Any, seen: set[Any]) -> Iterator[str]:
    if kind in seen:
        return
    seen.add(kind)
    if is_dataclass(kind):
        for name, hint in get_type_hints(kind).items():
            yield name.rstrip("_")
            yield from _names(hint, seen)
    for inner in get_args(kind):
        yield from _names(inner, seen)


# Nothing is quoted


CANARY = "canary-91f2-kumquat"


def _leaves(value: object, path: str = "") -> Iterator[str]:
    """The path of every text in a body that can be set by `changed`."""
    if isinstance(value, str):
        yield path
    elif is_dataclass(value):
        for spec in fields(value):
            yield from _leaves(getattr(value, spec.name), f"{path}.{spec.name}".lstrip("."))
    elif isinstance(value, tuple) and value and all(isinstance(one, str) for one in value):
        yield path


FULL: ReferralRequested = changed(
    PLAIN, CHILD | {"representative": LAWYER, "return_.fear_of": ("state",), "basis": TWO}
)


def _shown(ask: Callable[[], tuple[Finding, ...]]) -> str:
    """All that anybody is shown; a word of no list may end in an error, which is shown too."""
    try:
        found = ask()
    except (ContractError, ValueError, LookupError) as error:
        return f"{error!r} {error}"
    sentences = [SENTENCES[one.code].format(field=one.field) for one in found]
    return f"{found!r} {found} {sentences}"


@pytest.mark.parametrize("path", list(_leaves(FULL)))
def test_a_request_of_which_a_word_comes_out_in_a_finding(path: str) -> None:
    odd = changed(FULL, {path: _instead(FULL, path)})
    draft = IdentityReleased(Name(CANARY), contact=Contact(CANARY, (Channel(CANARY, CANARY),)))
    for receiver in (SHELTER, of("mission"), of("enforcement")):
        ask = partial(check_request, odd, receiver=receiver, profiles=PROFILES, now=NOW)
        assert CANARY not in _shown(ask)
    assert CANARY not in _shown(partial(findings_in_text, odd, identity=draft))
    assert CANARY not in _shown(
        partial(said, draft, request=odd, permission=odd.consent, peer_kind=CANARY)
    )


@pytest.mark.parametrize("name", BODIES)
def test_a_message_of_which_a_word_comes_out_in_a_finding(name: str) -> None:
    body = example(name)
    for path in _leaves(body):
        odd = changed(body, {path: _instead(body, path)})
        for by in Side:
            assert CANARY not in _shown(partial(said, odd, by=by, peer_kind=CANARY))
        assert CANARY not in _shown(partial(findings_in_text, odd))


def _instead(body: object, path: str) -> object:
    there = reduce(getattr, path.split("."), body)
    return (CANARY,) if isinstance(there, tuple) else CANARY
