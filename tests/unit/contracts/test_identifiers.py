"""Only what has the agreed form becomes an identifier."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Malformed
from contracts.identifiers import (
    Ref,
    country_of,
    parse_eid,
    parse_key_id,
    parse_mid,
    parse_org_id,
    spoken_reference,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my-0123456789abcde",
        "my-0123456789abcdef0",
        "MY-0123456789abcdef",
        "my-0123456789ABCDEF",
        "my_0123456789abcdef",
        "my-0123456789abcdef\n",
        " my-0123456789abcdef",
        "m\u0443-0123456789abcdef",
        "my-\u0661123456789abcdef",
    ],
)
def test_what_only_looks_like_an_organisation_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_org_id(text)
    assert (caught.value.code, caught.value.field) == ("bad_identifier", "org")


def test_an_organisation_tells_its_country() -> None:
    assert country_of(parse_org_id("my-0123456789abcdef")) == "my"


@pytest.mark.parametrize(
    ("parse", "digits"), [(parse_mid, 32), (parse_key_id, 32), (parse_eid, 64)]
)
def test_hex_ids_have_one_length_and_one_case(parse: Callable[[str], str], digits: int) -> None:
    assert parse("a" * digits) == "a" * digits
    for text in ("a" * (digits - 1), "a" * (digits + 1), "A" * digits, "g" * digits):
        with pytest.raises(Malformed):
            parse(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_spoken_reference_is_six_letters_nobody_mishears(text: str) -> None:
    spoken = spoken_reference(Ref(text))
    assert len(spoken) == 6
    assert set(spoken) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_both_desks_say_the_same_reference() -> None:
    # SHA-256("abc") begins ba7816bf: 10111 01001 11100 00001 01101 01111.
    assert spoken_reference(Ref("abc")) == "Q9W1DF"
