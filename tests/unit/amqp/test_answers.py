"""Every refusal of the acceptance has an answer; only an authenticated sender gets a notice."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from broker.hub.answers import BY_CODE, Halt, Poison, Refuse, RetryLater, answer_to
from broker.hub.known import MirrorContradicted, MirrorTooOld
from broker.hub.refusals import REFUSED
from contracts.errors import Refused


def test_both_doors_know_the_same_codes() -> None:
    assert set(BY_CODE) - {"no_user"} == set(REFUSED)


@pytest.mark.parametrize("code", ["no_user", "not_your_device", "malformed", "too_large"])
def test_nobody_is_answered_whom_the_broker_has_not_authenticated(code: str) -> None:
    assert answer_to(Refused(code)) == Poison(code)


def test_a_second_envelope_under_a_known_mid_is_for_a_person() -> None:
    assert answer_to(Refused("duplicate_conflict")) == Poison("duplicate_conflict")


def test_a_permanent_fault_of_the_peer_is_told_to_it() -> None:
    assert answer_to(Refused("no_route", "to")) == Refuse("no_route")


def test_the_world_is_waited_for_and_a_contradiction_stops_everything() -> None:
    away = OperationalError("", {}, Exception())
    assert answer_to(away) == RetryLater("database_away")
    assert answer_to(MirrorTooOld()) == RetryLater("directory_away")
    assert answer_to(MirrorContradicted()) == Halt("directory_contradicted")


def test_a_fault_of_ours_is_not_taken_for_the_world_s() -> None:
    with pytest.raises(TypeError):
        answer_to(IntegrityError("", {}, Exception()))
