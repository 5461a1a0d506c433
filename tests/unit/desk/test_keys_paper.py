"""A key on paper: copied by hand, with slips, and never taken for another."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import bech32
from broker.desk.errors import DeskError
from broker.desk.paper import (
    fingerprint_code,
    paper_page,
    paper_text,
    qr_image,
    qr_terminal,
    read_paper,
    spaced,
)
from broker.desk.secretfile import Kind, Secret
from contracts.errors import ContractError
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId
from contracts.signing import SigningKey

NET = "demo.tests"
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# BIP-173, "Test vectors".
VALID = (
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
)
INVALID = (
    "\x201nwldj5",
    "\x7f1axkwrx",
    "\x801eym55h",
    "an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "de1lg7wt\xff",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
    "A12uEL5L",
)

secrets = st.builds(
    Secret,
    kind=st.sampled_from(Kind),
    net=st.just(NET),
    org=st.builds(
        lambda country, rest: OrgId(f"{country}-{rest.hex()}"),
        st.sampled_from(("my", "bd", "zz")),
        st.binary(min_size=8, max_size=8),
    ),
    key=st.builds(SigningKey, st.binary(min_size=32, max_size=32)),
)


@pytest.mark.parametrize("text", VALID)
def test_what_the_specification_calls_valid_is_read(text: str) -> None:
    hrp, words = bech32.decode_words(text)
    assert text.lower() == f"{hrp}1{text.lower()[len(hrp) + 1 :]}"
    assert len(words) == len(text) - len(hrp) - 7


@pytest.mark.parametrize("text", INVALID)
def test_what_the_specification_calls_invalid_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        bech32.decode_words(text)


@given(st.binary(max_size=40), st.from_regex(r"[a-z!-/]{1,8}", fullmatch=True))
def test_bytes_come_back_from_their_text(data: bytes, hrp: str) -> None:
    assert bech32.decode(bech32.encode(hrp, data)) == (hrp, data)
    assert bech32.decode(bech32.encode(hrp, data).upper()) == (hrp, data)


@given(secrets)
def test_a_key_comes_back_from_paper_however_it_was_spaced(secret: Secret) -> None:
    text = paper_text(secret)
    assert len(text) <= bech32.MOST
    for typed in (text, text.upper(), spaced(text), f" {spaced(text).upper()}\n"):
        read = read_paper(typed, net=NET)
        assert (read.kind, read.org, read.key.seed) == (secret.kind, secret.org, secret.key.seed)


@given(
    secret=secrets,
    slips=st.dictionaries(st.integers(0, 10_000), st.integers(1, 31), min_size=1, max_size=4),
)
def test_four_slips_are_noticed_wherever_they_are(secret: Secret, slips: dict[int, int]) -> None:
    text = paper_text(secret)
    begins = text.index("1") + 1
    letters = list(text)
    for at, by in slips.items():
        place = begins + at % (len(text) - begins)
        original = CHARSET.index(text[place])
        letters[place] = CHARSET[(original + by) % len(CHARSET)]
    with pytest.raises(DeskError) as caught:
        read_paper("".join(letters), net=NET)
    assert caught.value.code == "paper_unreadable"


@pytest.mark.parametrize("typed", ["", "rjk-root", "rjk-root1", "a12uel5l", "ключ", "\x00" * 90])
def test_something_else_is_a_sentence_and_is_never_repeated(typed: str) -> None:
    with pytest.raises(DeskError) as caught:
        read_paper(typed, net=NET)
    assert not typed or typed not in str(caught.value)


def test_a_valid_text_of_another_length_or_kind_is_refused() -> None:
    for hrp, data in (("rjk-root", b"my" + bytes(39)), ("rjk-other", b"my" + bytes(40)),
                      ("rjk-root", b"M\xff" + bytes(40))):  # fmt: skip
        with pytest.raises(DeskError):
            read_paper(bech32.encode(hrp, data), net=NET)


def test_the_page_to_print_is_one_picture_with_text_and_qr_code() -> None:
    secret = Secret(Kind.ROOT, NET, OrgId("my-0123456789abcdef"), SigningKey.generate())
    page = paper_page(secret, digits="01234 56789")
    drawn = ElementTree.fromstring(page)  # noqa: S314 - our own bytes
    written = "".join(drawn.itertext())
    for line in spaced(paper_text(secret)).split("\n"):
        assert line in written
    assert "<path" in page.decode()
    assert "href" not in page.decode()  # a page with a secret asks nobody for anything


def test_a_fingerprints_code_says_what_is_read_by_phone() -> None:
    org = OrgId("my-0123456789abcdef")
    said = fingerprint_code(org, fingerprint(org, root=bytes(32)))
    assert said.startswith("MY-0123456789ABCDEF ")
    assert len(said.split()) == 9
    assert qr_terminal(said).count("\n") > 10
    assert qr_image(said).startswith("data:image/svg+xml")


def test_nothing_secret_is_in_a_repr() -> None:
    secret = Secret(Kind.ROOT, NET, OrgId("my-0123456789abcdef"), SigningKey.generate())
    assert secret.key.seed.hex() not in repr(secret)
    assert repr(secret.key.seed) not in repr(secret)
