"""What a thief, a coordinator or a directory tries in order to get more than the rules give them.

Each test is named after what can go wrong; the rules themselves, one by one, stand in
`test_rules`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from types import FrameType

import pytest

from contracts.contents import Role
from contracts.drafting import org_statement, root_statement
from contracts.errors import Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf
from contracts.register import Register, RootChanged
from contracts.root import Coordinator, make_root, parse_root
from contracts.standing import CHANGE_DELAY, FREEZE_LASTS
from contracts.statements import Statement, first_heading, parse_statement, signed_statement
from contracts.times import DAY
from tests.unit.contracts.authors import NET, signing_key
from tests.unit.contracts.histories import BD, ID, MY, TH, History, Member
from tests.vouching import COORDINATORS, LOG_KEY, Signer, apply_all, listed

NEW, NEWER, THIEF = signing_key("new root"), signing_key("newer root"), signing_key("thief")
ROGUE = signing_key("rogue")
NEWCOMER = Member(OrgId("my-00000000000000ee"), signing_key("newcomer"), signing_key("pc"), ())


def _root_file(history: History, coordinators: Iterable[Coordinator]) -> Statement:
    """The next root file, with these coordinators, signed by all who are in force."""
    version = history.register.root.version + 1
    made = make_root(
        net=NET, log=LOG_KEY.public, hubs=[], coordinators=list(coordinators), version=version
    )
    body = parse_statement(made).body
    return root_statement(
        history.heading(COORDINATORS[1].id), *(one.key for one in COORDINATORS[1:]), file=body
    )


# A freeze that a slow clock has not reached


def test_a_freeze_in_the_log_counts_at_once_on_a_desk_whose_clock_is_behind() -> None:
    history = History()
    member, peer = history.enrol(), history.enrol("bd", "b")
    slow, register = history.t, history.register
    [key] = register.recipients(to=member.id, sender=peer.id, sender_device=peer.device, now=slow)
    history.later(600)  # so far ahead of a witness's clock may the log's own time be
    history.add(history.freeze(member, by=MY))
    device, organisation = (
        register.device(member.id, member.device),
        register.organisation(member.id),
    )
    assert device is not None
    assert organisation is not None
    assert device.silenced(slow)
    assert organisation.frozen(slow)
    assert not register.can_receive(member.id, slow)
    with pytest.raises(Refused):
        register.check_recipients(
            [key.key_id], to=member.id, sender=peer.id, sender_device=peer.device,
            iat=slow, now=slow,
        )  # fmt: skip


def test_a_recovery_that_has_counted_ends_the_old_devices_on_a_slow_clock_too() -> None:
    history = History()
    member = history.enrol()
    slow = history.t
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(CHANGE_DELAY)
    history.enrol("bd", "b")  # nothing more of the recovered organisation itself
    device = history.register.device(member.id, member.device)
    assert device is not None
    assert device.silenced(slow)
    organisation = history.register.organisation(member.id)
    assert organisation is not None
    assert organisation.devices == (device,)


# Keys named by somebody who does not have them


def test_naming_anothers_key_as_ones_own_next_root_blocks_no_recovery_and_no_device() -> None:
    history = History()
    member, hostile = history.enrol(), history.enrol("bd", "hostile")
    recovery = history.recover(member, *member.recovery[:2], NEW, new=NEW)
    for seen in (NEW, ROGUE):  # by a directory that reads what it is sent and lets this in first
        history.add(history.change_root(hostile, seen))
    history.add(recovery)
    history.later(CHANGE_DELAY)
    assert history.root_of(member) == NEW.public
    history.add(history.certify(member, ROGUE, root=NEW))
    assert history.in_force(member, ROGUE)


def test_a_root_to_be_is_no_device_of_the_same_organisation() -> None:
    history = History()
    member = history.enrol()
    history.add(history.change_root(member, NEW))
    assert history.refused(history.certify(member, NEW)) == "key_already_used"


def test_a_coordinators_key_is_never_also_an_organisations_own() -> None:
    history = History()
    member = history.enrol()
    for taken in (member.root, member.admin):
        both = Coordinator(OrgId("pk-c000000000000009"), "pk", taken.public)
        assert history.refused(_root_file(history, [*listed(), both])) == "key_already_used"


# Coordinators who are none any more


def test_the_word_of_a_coordinator_since_removed_admits_nobody() -> None:
    history = History()
    first = history.first(NEWCOMER)
    for by in (MY, BD):
        history.add(history.vouch(by, NEWCOMER.id, first.hash))
    history.add(_root_file(history, listed()[1:]))
    assert history.refused(first) == "not_vouched_for"
    assert history.register.vouches(NEWCOMER.id, first.hash) == 1
    history.add(history.vouch(TH, NEWCOMER.id, first.hash))
    history.add(first)


def test_a_word_signed_with_a_coordinators_replaced_key_admits_nobody() -> None:
    history = History()
    first = history.first(NEWCOMER)
    for by in (MY, BD):
        history.add(history.vouch(by, NEWCOMER.id, first.hash))
    history.add(_root_file(history, [replace(MY.public, key=NEWER.public), *listed()[1:]]))
    assert history.refused(first) == "not_vouched_for"


def test_those_admitted_stay_when_their_coordinator_leaves() -> None:
    history = History()
    member = history.enrol()
    before = history.register.organisation(member.id)
    history.add(_root_file(history, listed()[1:]))
    assert history.register.organisation(member.id) == before


def test_a_former_coordinator_does_not_begin_a_new_chain_as_an_organisation() -> None:
    history = History()
    former = replace(NEWCOMER, id=MY.id)
    history.add(history.list_entry(MY.id, NEWCOMER.id, MY.key))
    history.add(_root_file(history, listed()[1:]))
    begun = history.register.next_heading(MY.id, iat=history.t)
    first = history.first(replace(former, id=OrgId("my-c0000000000000aa")))
    body = json.loads(first.body) | {"by": MY.id, "org": MY.id}
    restarted = signed_statement(body, former.root)
    for by in (BD, ID):
        history.add(history.vouch(by, MY.id, restarted.hash))
    assert history.refused(restarted) == "gap_in_seq"
    assert history.register.next_heading(MY.id, iat=history.t) == begun
    assert history.refused(history.list_entry(MY.id, NEWCOMER.id, MY.key)) == "not_a_coordinator"


def test_a_freeze_outlives_its_coordinator_and_a_former_one_adds_nothing_to_it() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=BD))
    history.add(history.list_entry(MY.id, NEWCOMER.id, MY.key))
    history.add(_root_file(history, listed()[1:]))
    assert history.refused(history.freeze(member, by=MY)) == "not_a_coordinator"
    history.later(FREEZE_LASTS - 1)
    assert history.frozen(member)
    history.later(1)
    assert not history.frozen(member)


# Freezes


def test_a_coordinator_who_moves_country_is_not_two_countries() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    moved = [replace(MY.public, country="pk"), *listed()[1:]]
    history.add(_root_file(history, moved))
    assert history.refused(history.freeze(member, by=MY)) == "frozen_lately"
    history.later(FREEZE_LASTS)
    assert not history.frozen(member)


def test_two_coordinators_of_one_country_do_not_make_a_freeze_last() -> None:
    second = Signer(OrgId("my-c0000000000000ff"), "my")
    data = make_root(net=NET, log=LOG_KEY.public, hubs=[], coordinators=[*listed(), second.public])
    history = History(register=Register(parse_root(data)))
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    history.later(DAY)
    history.add(history.freeze(member, by=second))
    history.later(FREEZE_LASTS)
    assert not history.frozen(member)


def test_a_thief_who_freezes_the_stolen_device_hides_nothing_it_sent_before() -> None:
    history = History()
    member, stolen = history.enrol(), signing_key("stolen")
    history.add(history.certify(member, stolen, admin=member.admin))
    history.later(9 * DAY)
    history.add(history.freeze(member, stolen, device=stolen.key_id, since=history.t))
    week_ago = history.t - 7 * DAY
    history.add(history.freeze(member, member.admin, device=stolen.key_id, since=week_ago))
    device = history.register.device(member.id, stolen.key_id)
    assert device is not None
    assert device.stopped is not None
    assert device.stopped.since == week_ago
    later = history.freeze(member, member.admin, device=stolen.key_id, since=week_ago + 1)
    assert history.refused(later) == "already_stopped"


def test_freezing_what_is_frozen_for_good_grows_nothing() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, *member.recovery[:2]))
    assert history.refused(history.freeze(member, *member.recovery[:2])) == "already_frozen"
    for by in (MY, BD, TH):
        history.add(history.freeze(member, by=by))
    for by in (MY, BD, TH):
        history.later(DAY)
        assert history.refused(history.freeze(member, by=by, since=history.t)) == "already_frozen"
    earlier = history.t - 30 * DAY
    history.add(history.freeze(member, by=BD, since=earlier))
    history.add(history.freeze(member, *member.recovery[1:], since=earlier - 1))
    known = history.register.organisation(member.id)
    assert known is not None
    assert (len(known.freezes), known.suspected_since) == (4, earlier - 1)


def test_freezing_and_thawing_without_end_is_not_remembered_without_end() -> None:
    history = History()
    member = history.enrol()
    for _ in range(20):
        history.add(history.freeze(member, *member.recovery[:2]))
        history.add(history.thaw(member, member.root, ID.key))
    known = history.register.organisation(member.id)
    assert known is not None
    assert not known.freezes


@pytest.mark.parametrize("begins", [CHANGE_DELAY, CHANGE_DELAY + DAY])
def test_a_freeze_after_the_72_hours_takes_no_recovery_back(begins: int) -> None:
    history = History()
    member = history.enrol()
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(begins)
    for by in (MY, BD):
        history.add(history.freeze(member, by=by))
    assert history.root_of(member) == NEW.public
    assert not history.in_force(member)


def test_a_freeze_in_the_last_second_holds_a_recovery_until_the_thaw() -> None:
    history = History()
    member = history.enrol()
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(CHANGE_DELAY - 1)
    for by in (MY, BD):
        history.add(history.freeze(member, by=by))
    history.later(90 * DAY)
    assert history.root_of(member) == member.root.public
    history.add(history.thaw(member, member.root, ID.key))
    assert history.root_of(member) == member.root.public
    history.later(1)
    assert history.root_of(member) == NEW.public


def test_the_recovery_keys_own_freeze_does_not_hold_their_recovery() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, *member.recovery[:2]))
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(CHANGE_DELAY)
    assert history.root_of(member) == NEW.public
    assert history.frozen(member)
    assert history.refused(history.thaw(member, member.root, ID.key)) == "wrong_signers"
    history.add(history.thaw(member, NEW, ID.key))
    history.add(history.certify(member, ROGUE, root=NEW))
    assert history.in_force(member, ROGUE)


# Recovery


def test_only_the_hours_of_a_freeze_after_the_recovery_was_asked_for_are_waited_for() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    history.later(FREEZE_LASTS - DAY)
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(DAY + CHANGE_DELAY - 1)
    assert history.root_of(member) == member.root.public
    history.later(1)
    assert history.root_of(member) == NEW.public


def test_what_the_old_root_certifies_during_a_recovery_ends_with_it() -> None:
    history = History()
    member = history.enrol()
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(DAY)
    history.add(history.certify(member, ROGUE, admin=member.admin))
    history.add(history.publish(member, ROGUE))
    assert history.in_force(member, ROGUE)
    end = history.t + 2 * DAY
    usable = history.register.usable_devices(member.id, end - 1)
    assert {one.key_id for one in usable} == {ROGUE.key_id, member.device}
    assert not history.register.usable_devices(member.id, end)
    history.later(2 * DAY)
    assert history.refused(history.publish(member, ROGUE)) == "device_stopped"
    assert history.refused(history.certify(member, NEWER)) == "wrong_signers"


def test_a_second_recovery_replaces_the_first_and_waits_anew() -> None:
    history = History()
    member = history.enrol()
    history.add(history.recover(member, *member.recovery[:2], THIEF, new=THIEF))
    history.later(CHANGE_DELAY - 1)
    history.add(history.recover(member, *member.recovery[1:], NEW, new=NEW))
    history.later(CHANGE_DELAY - 1)
    assert history.root_of(member) == member.root.public
    history.later(1)
    assert history.root_of(member) == NEW.public


def test_recovery_keys_that_were_changed_recover_nothing_any_more() -> None:
    history = History()
    member = history.enrol()
    fresh = tuple(signing_key(f"fresh {number}") for number in range(2))
    history.add(history.change_root(member, member.root, recovery=fresh))
    history.later(CHANGE_DELAY)
    lost = history.recover(member, *member.recovery[:2], NEW, new=NEW)
    assert history.refused(lost) == "wrong_signers"
    history.add(history.recover(member, *fresh, NEW, new=NEW))


def test_a_stolen_stick_certifies_nothing_at_once_after_changing_the_root() -> None:
    history = History()
    member = history.enrol()
    history.add(history.change_root(member, THIEF))
    history.later(CHANGE_DELAY)
    history.add(history.certify(member, ROGUE, root=THIEF))
    assert not history.in_force(member, ROGUE)


# Beginnings


def test_replaying_a_beginning_after_the_root_changed_is_no_alarm() -> None:
    history = History()
    member = Member(NEWCOMER.id, NEWCOMER.root, NEWCOMER.admin, ())
    first = history.first(member)
    apply_all(history.register, first, t=history.t)
    history.add(history.change_root(member, NEW))
    history.later(CHANGE_DELAY)
    history.add(history.certify(member, ROGUE, root=NEW))
    assert history.refused(first) == "org_repeated"
    for root in (THIEF, NEW):
        heading = first_heading(net=NET, by=member.id, iat=history.t)
        again = org_statement(heading, root=root, kind="ngo")
        with pytest.raises(RootChanged if root is THIEF else Refused):
            history.add(again)


# What a statement costs


def test_what_a_statement_costs_does_not_grow_with_what_its_organisation_has() -> None:
    def calls(devices: int) -> int:
        history = History()
        member = history.enrol()
        for number in range(devices):
            key = signing_key(f"device {number}")
            history.add(history.certify(member, key, role=Role.SYSTEM))
        history.later(DAY)
        last = history.certify(member, ROGUE, admin=member.admin)
        return (
            _calls(history, last)
            + _calls(history, history.publish(member, ROGUE))
            + _calls(history, history.list_entry(member.id, member.id, member.admin))
            + _calls(history, history.freeze(member, by=MY))
        )

    assert calls(60) < calls(2) * 1.2


def _calls(history: History, statement: Statement) -> int:
    """How many functions run until it counts."""
    count = 0

    def counted(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        history.register.apply(Leaf(statement, history.t))
    finally:
        sys.setprofile(None)
    return count


# A device's key, once more


def test_a_device_named_by_its_id_is_found_only_in_its_own_organisation() -> None:
    history = History()
    member, other = history.enrol(), history.enrol("bd", "b")
    for statement in (
        history.freeze(member, by=MY, device=other.device),
        history.revoke(member, member.root, device=other.device),
        history.freeze(member, by=MY, device=KeyId("0" * 32)),
    ):
        assert history.refused(statement) == "not_a_device"
    assert history.refused(history.publish(member, other.admin)) == "not_a_device"
    theirs = history.list_entry(member.id, member.id, other.admin)
    assert history.refused(theirs) == "wrong_signers"
    countersigned = history.certify(member, ROGUE, admin=other.admin)
    assert history.refused(countersigned) == "wrong_signers"
