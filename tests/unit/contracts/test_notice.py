"""A sender believes the hub's signature and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import h256
from contracts.errors import BadSignature, ContractError, Malformed, Refused
from contracts.identifiers import Eid
from contracts.notice import Notice, NoticeStatus, read_notice, sign_notice
from contracts.signing import Label, SigningKey, render_signed
from tests.unit.contracts.world import MID, MY, NOW

HUB = SigningKey.from_seed(h256(b"hub"))
FALSE_HUB = SigningKey.from_seed(h256(b"false hub"))
ACCEPTED = Notice(HUB.key_id, MY, MID, Eid("ab" * 32), "accepted", None, NOW)
REFUSED = replace(ACCEPTED, status="refused", code="no_route")


@pytest.mark.parametrize("notice", [ACCEPTED, REFUSED, replace(REFUSED, status="undeliverable")])
def test_a_notice_comes_back(notice: Notice) -> None:
    assert read_notice(sign_notice(notice, HUB), hub_key=HUB.public) == notice


def test_a_false_hubs_notice_is_refused() -> None:
    data = sign_notice(replace(ACCEPTED, hub=FALSE_HUB.key_id), FALSE_HUB)
    with pytest.raises(BadSignature):
        read_notice(data, hub_key=HUB.public)


def test_a_hub_cannot_speak_in_anothers_name() -> None:
    with pytest.raises(Malformed):
        sign_notice(ACCEPTED, FALSE_HUB)
    body = b'{"v":1,"hub":"%s","from":"%s","mid":"%s","eid":"%s","status":"accepted","at":1}' % (
        FALSE_HUB.key_id.encode(), MY.encode(), MID.encode(), b"ab" * 32,
    )  # fmt: skip
    data = render_signed(body, HUB.sign(Label.ACCEPTANCE, body))
    with pytest.raises(Refused, match="another hub"):
        read_notice(data, hub_key=HUB.public)


def test_a_signature_under_another_label_is_no_notice() -> None:
    data = sign_notice(ACCEPTED, HUB)
    body = b'{"v":1}'
    for label in set(Label) - {Label.ACCEPTANCE}:
        with pytest.raises(BadSignature):
            read_notice(render_signed(body, HUB.sign(label, body)), hub_key=HUB.public)
    assert read_notice(data, hub_key=HUB.public) == ACCEPTED


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("accepted", "no_route"),
        ("refused", None),
        ("undeliverable", None),
        ("refused", ""),
        ("refused", "No Route"),
        ("refused", "x" * 65),
    ],
)
def test_code_and_status_must_fit_together(status: NoticeStatus, code: str | None) -> None:
    with pytest.raises(Malformed):
        sign_notice(replace(ACCEPTED, status=status, code=code), HUB)


@given(st.data())
def test_no_changed_bit_is_believed(data: st.DataObject) -> None:
    signed = bytearray(sign_notice(REFUSED, HUB))
    at = data.draw(st.integers(0, len(signed) * 8 - 1))
    signed[at // 8] ^= 1 << at % 8
    with pytest.raises(ContractError):
        read_notice(bytes(signed), hub_key=HUB.public)


def test_an_oversize_notice_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="too large"):
        read_notice(b" " * 2049, hub_key=HUB.public)
