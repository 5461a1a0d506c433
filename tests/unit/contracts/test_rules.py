"""Who may do what to whom, and when it counts: every rule with the attempt it stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.contents import Role
from contracts.drafting import root_statement
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.log import Leaf
from contracts.register import Register
from contracts.root import Coordinator, RulesUnknown, make_root, parse_root
from contracts.routing import RouteState
from contracts.standing import CHANGE_DELAY, ENROLMENT_WITHIN, FREEZE_LASTS, VOUCHED_FOR, StopKind
from contracts.statements import Statement, parse_statement
from contracts.times import DAY
from tests.unit.contracts.authors import NET, signing_key
from tests.unit.contracts.histories import BD, ENTRY, ID, MY, OTHER_ENTRY, TH, History, Member
from tests.vouching import COORDINATORS, LOG_KEY, Signer, listed

NEW, NEWER, THIEF = signing_key("new root"), signing_key("newer root"), signing_key("thief")
NEWCOMER = Member(OrgId("my-00000000000000ee"), signing_key("newcomer"), signing_key("pc"), ())


# Admission


def test_nobody_is_admitted_on_one_coordinators_word() -> None:
    history = History()
    first = history.first(NEWCOMER)
    assert history.refused(first) == "not_vouched_for"
    for by in (MY, MY):  # saying it twice makes it no truer
        history.add(history.vouch(by, NEWCOMER.id, first.hash))
        assert history.refused(first) == "not_vouched_for"
    history.add(history.vouch(BD, NEWCOMER.id, first.hash))
    history.add(first)
    assert history.register.organisation(NEWCOMER.id) is not None


def test_two_coordinators_of_one_country_are_one_word() -> None:
    second = replace(MY, id=OrgId("my-c0000000000000ff"))
    coordinators = [*listed(), second.public]
    data = make_root(net=NET, log=LOG_KEY.public, hubs=[], coordinators=coordinators)
    history = History(register=Register(parse_root(data)))
    first = history.first(NEWCOMER)
    for by in (MY, second):
        history.add(history.vouch(by, NEWCOMER.id, first.hash))
    assert history.refused(first) == "not_vouched_for"


def test_a_word_is_for_one_root_key_and_not_for_a_name() -> None:
    history = History()
    first = history.first(NEWCOMER)
    for by in (MY, BD):
        history.add(history.vouch(by, NEWCOMER.id, first.hash))
    assert history.refused(history.first(replace(NEWCOMER, root=THIEF))) == "not_vouched_for"


def test_what_a_coordinator_saw_a_month_ago_admits_nobody() -> None:
    history = History()
    first = history.first(NEWCOMER)
    history.add(history.vouch(MY, NEWCOMER.id, first.hash))
    history.later(ENROLMENT_WITHIN + 1)
    history.add(history.vouch(BD, NEWCOMER.id, first.hash))
    assert history.refused(first) == "not_vouched_for"
    history.add(history.vouch(MY, NEWCOMER.id, first.hash))
    history.add(first)


def test_an_organisation_cannot_vouch_and_a_stranger_cannot_as_a_coordinator() -> None:
    history = History()
    member, first = history.enrol(), history.first(NEWCOMER)
    ours = replace(MY, id=member.id)
    assert history.refused(history.vouch(ours, NEWCOMER.id, first.hash)) == "not_a_coordinator"
    forged = history.vouch(MY, NEWCOMER.id, first.hash)
    assert history.refused(Statement(forged.body, ())) == "wrong_signers"


def test_vouches_lapse_after_a_year_and_are_renewed() -> None:
    history = History()
    member = history.enrol()
    known = history.register.organisation(member.id)
    assert known is not None
    assert known.vouched_until == history.t + VOUCHED_FOR
    history.later(300 * DAY)
    for by in (ID, TH):
        history.add(history.vouch(by, member.id, known.first))
    renewed = history.register.organisation(member.id)
    assert renewed is not None
    assert renewed.vouched_until == history.t + VOUCHED_FOR
    assert history.refused(history.vouch(MY, member.id, "e" * 64)) == "other_organisation"


def test_nobody_takes_a_coordinators_id() -> None:
    history = History()
    taken = replace(NEWCOMER, id=MY.id)
    assert history.refused(history.first(taken)) in {"id_taken", "gap_in_seq"}


# The root, and its thief


def test_a_stolen_stick_changes_the_root_only_after_72_hours() -> None:
    history = History()
    member = history.enrol()
    history.add(history.change_root(member, THIEF))
    history.later(CHANGE_DELAY - 1)
    assert history.root_of(member) == member.root.public
    rogue = history.certify(member, signing_key("rogue"), root=THIEF)
    assert history.refused(rogue) == "wrong_signers"
    history.later(1)
    assert history.root_of(member) == THIEF.public
    assert history.in_force(member)  # its desks go on
    history.add(history.certify(member, signing_key("rogue"), root=THIEF))


def test_two_recovery_keys_undo_what_a_stolen_root_has_begun() -> None:
    history = History()
    member = history.enrol()
    history.add(history.change_root(member, THIEF))
    rogue = signing_key("rogue")
    history.add(history.certify(member, rogue))
    history.later(2 * DAY)
    assert history.in_force(member, rogue)
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    assert history.refused(history.change_root(member, NEWER)) == "recovery_pending"
    history.later(CHANGE_DELAY - 1)
    assert history.root_of(member) == member.root.public
    history.later(1)
    assert history.root_of(member) == NEW.public
    assert not history.in_force(member, rogue)
    assert not history.in_force(member)  # the old root's devices, all of them
    assert history.refused(history.change_root(member, NEWER)) == "wrong_signers"
    fresh = signing_key("fresh")
    history.add(history.certify(member, fresh, root=NEW))
    assert history.in_force(member, fresh)
    history.add(history.publish(member, fresh))


def test_one_recovery_key_recovers_nothing() -> None:
    history = History()
    member = history.enrol()
    one, two, three = member.recovery
    for signers in ((one, NEW), (one, two), (NEW,), (one, two, THIEF), (one, member.root, NEW)):
        assert history.refused(history.recover(member, *signers, new=NEW)) == "wrong_signers"
    history.add(history.recover(member, two, three, NEW, new=NEW))


def test_without_recovery_keys_nobody_recovers() -> None:
    history = History()
    member = history.enrol(recovery=0)
    two = (signing_key("x"), signing_key("y"))
    assert history.refused(history.recover(member, *two, NEW, new=NEW)) == "wrong_signers"


def test_recovery_keys_that_the_thief_names_do_not_count_yet() -> None:
    history = History()
    member = history.enrol()
    theirs = (signing_key("t1"), signing_key("t2"))
    history.add(history.change_root(member, member.root, recovery=theirs))
    assert history.refused(history.recover(member, *theirs, NEW, new=NEW)) == "wrong_signers"
    history.add(history.recover(member, *member.recovery[1:], NEW, new=NEW))
    history.later(2 * CHANGE_DELAY)
    assert history.root_of(member) == NEW.public


def test_a_coordinators_freeze_holds_the_recoverys_clock() -> None:
    history = History()
    member = history.enrol()
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))
    history.later(DAY)
    history.add(history.freeze(member, by=MY))
    history.later(CHANGE_DELAY)  # the freeze ends here; 24 of the 72 hours had passed before it
    assert history.root_of(member) == member.root.public
    history.later(2 * DAY - 1)
    assert history.root_of(member) == member.root.public
    history.later(1)
    assert history.root_of(member) == NEW.public


def test_the_kind_that_two_coordinators_vouched_for_stays() -> None:
    history = History()
    member = history.enrol()
    assert history.refused(history.change_root(member, NEW, kind="mission")) == "kind_fixed"


def test_a_used_key_is_no_new_root() -> None:
    history = History()
    member, other = history.enrol(), history.enrol("bd", "b")
    for used in (other.root, member.admin, MY.key):
        assert history.refused(history.change_root(member, used)) == "key_already_used"
        signers = (*member.recovery[:2], used)
        assert history.refused(history.recover(member, *signers, new=used)) == "key_already_used"


def test_nothing_new_is_refused_as_nothing_new() -> None:
    history = History()
    member = history.enrol()
    assert history.refused(history.change_root(member, member.root)) == "nothing_changed"
    history.add(history.change_root(member, NEW))
    history.add(history.change_root(member, member.root))  # taken back
    history.later(2 * CHANGE_DELAY)
    assert history.root_of(member) == member.root.public


# Freezing


def test_a_frozen_device_is_silent_for_good_and_its_colleagues_go_on() -> None:
    history = History()
    member, other = history.enrol(), signing_key("other")
    history.add(history.certify(member, other, admin=member.admin))
    history.add(history.freeze(member, member.admin, device=other.key_id))
    assert not history.in_force(member, other)
    assert history.in_force(member)
    history.later(30 * DAY)
    assert not history.in_force(member, other)
    assert history.refused(history.publish(member, other)) == "device_stopped"
    device = history.register.device(member.id, other.key_id)
    assert device is not None
    assert device.silenced(0)  # whatever the date of what it signs
    assert device.stopped is not None
    assert device.stopped.kind is StopKind.FROZEN


def test_who_may_freeze_a_device() -> None:
    history = History()
    member, stranger = history.enrol(), history.enrol("bd", "b")
    worker = signing_key("caseworker")
    history.add(history.certify(member, worker, admin=member.admin, role=Role.CASEWORKER))
    device = worker.key_id
    for signers in ((worker,), (member.root,), (stranger.admin,), member.recovery[:1], ()):
        refused = history.refused(history.freeze(member, *signers, device=device))
        assert refused == "wrong_signers"
    theirs = replace(MY, id=stranger.id)
    assert history.refused(history.freeze(member, by=theirs, device=device)) == "not_a_coordinator"
    stranger_device = history.freeze(member, member.admin, device=stranger.device)
    assert history.refused(stranger_device) == "not_a_device"
    history.add(history.freeze(member, *member.recovery[1:], device=device))
    assert not history.in_force(member, worker)
    again = history.freeze(member, by=TH, device=device)
    assert history.refused(again) == "already_stopped"
    history.add(history.freeze(member, by=TH, device=member.device))
    assert not history.in_force(member)


def test_one_coordinator_stops_an_organisation_for_72_hours_and_not_again() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    assert history.frozen(member)
    assert not history.in_force(member)
    assert history.refused(history.publish(member, member.admin)) == "organisation_frozen"
    history.later(FREEZE_LASTS - 1)
    assert history.frozen(member)
    history.later(1)
    assert not history.frozen(member)
    assert history.in_force(member)
    assert history.refused(history.freeze(member, by=MY)) == "frozen_lately"


def test_a_second_country_makes_a_freeze_last_until_the_thaw() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    history.later(2 * DAY)
    history.add(history.freeze(member, by=BD))
    history.later(60 * DAY)
    assert history.frozen(member)
    for signers in ((member.root,), (MY.key,), (member.root, THIEF), (MY.key, BD.key)):
        assert history.refused(history.thaw(member, *signers)) == "wrong_signers"
    history.add(history.thaw(member, member.root, ID.key))
    assert not history.frozen(member)
    assert history.in_force(member)
    assert history.refused(history.thaw(member, member.root, ID.key)) == "not_frozen"


def test_a_second_country_that_comes_too_late_begins_its_own_72_hours() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    history.later(FREEZE_LASTS)
    history.add(history.freeze(member, by=BD))
    history.later(FREEZE_LASTS)
    assert not history.frozen(member)


def test_two_recovery_keys_freeze_until_the_thaw_and_one_does_not() -> None:
    history = History()
    member = history.enrol()
    for signers in (member.recovery[:1], (member.root,), (member.admin,)):
        assert history.refused(history.freeze(member, *signers)) == "wrong_signers"
    history.add(history.freeze(member, *member.recovery[:2]))
    history.later(90 * DAY)
    assert history.frozen(member)


def test_a_freeze_is_not_suspected_since_tomorrow() -> None:
    history = History()
    member = history.enrol()
    late = history.freeze(member, by=MY, since=history.t + 1)
    assert history.refused(late) == "from_the_future"


def test_a_frozen_organisation_can_still_lose_devices_and_be_recovered() -> None:
    history = History()
    member, other = history.enrol(), signing_key("other")
    history.add(history.certify(member, other, admin=member.admin))
    history.add(history.freeze(member, by=MY))
    rogue = history.certify(member, signing_key("rogue"))
    assert history.refused(rogue) == "organisation_frozen"
    assert history.refused(history.change_root(member, THIEF)) == "organisation_frozen"
    history.add(history.revoke(member, member.root, device=other.key_id))
    history.add(history.recover(member, *member.recovery[:2], NEW, new=NEW))


def test_who_may_revoke_a_device() -> None:
    history = History()
    member = history.enrol()
    for signers in ((member.admin,), member.recovery[:1], (THIEF,)):
        revoked = history.revoke(member, *signers, device=member.device)
        assert history.refused(revoked) == "wrong_signers"
    history.add(history.revoke(member, *member.recovery[:2], device=member.device))
    assert not history.in_force(member)
    again = history.revoke(member, member.root, device=member.device)
    assert history.refused(again) == "already_stopped"
    # The thief of the stick may not use a revocation to get a device that counts at once.
    rogue = signing_key("rogue")
    history.add(history.certify(member, rogue))
    assert not history.in_force(member, rogue)
    history.later(DAY)
    assert history.in_force(member, rogue)


# Listings


def test_a_coordinators_entry_is_unconfirmed_until_another_has_looked() -> None:
    history = History()
    org = NEWCOMER.id
    history.add(history.list_entry(MY.id, org, MY.key))
    found = history.register.listing(org)
    assert found is not None
    assert found.unconfirmed
    history.later(DAY)
    history.add(history.confirm(MY.id, org, MY.key))
    again = history.register.listing(org)
    assert again is not None
    assert (again.unconfirmed, again.checked_at) == (True, history.t)
    assert history.refused(history.confirm(BD.id, org, BD.key, entry=OTHER_ENTRY)) == "other_entry"
    history.add(history.confirm(BD.id, org, BD.key))
    confirmed = history.register.listing(org)
    assert confirmed is not None
    assert not confirmed.unconfirmed


def test_nobody_speaks_for_an_organisation_that_has_keys() -> None:
    history = History()
    member, other = history.enrol(), history.enrol("bd", "b")
    theirs = history.list_entry(MY.id, member.id, MY.key)
    assert history.refused(theirs) == "speaks_for_itself"
    assert history.refused(history.list_entry(other.id, member.id, other.admin)) == (
        "not_a_coordinator"
    )
    worker = signing_key("caseworker")
    history.add(history.certify(member, worker, admin=member.admin, role=Role.CASEWORKER))
    for signers in ((worker,), (member.root,), (member.admin, worker), ()):
        listed_by = history.list_entry(member.id, member.id, *signers)
        assert history.refused(listed_by) == "wrong_signers"
    history.add(history.list_entry(member.id, member.id, member.admin))
    own = history.register.listing(member.id)
    assert own is not None
    assert (own.entry, own.unconfirmed) == (ENTRY, False)


def test_a_frozen_organisation_changes_no_phone_number() -> None:
    history = History()
    member = history.enrol()
    history.add(history.freeze(member, by=MY))
    changed = history.list_entry(member.id, member.id, member.admin)
    assert history.refused(changed) == "organisation_frozen"


# Routes


def test_a_route_needs_both_countries() -> None:
    history, pair = History(), ("bd", "my")
    for signers in ((MY,), (MY, ID), (BD,), (MY, BD, ID)):
        signed = history.route(MY, *signers, pair=pair, state=RouteState.SIGNED)
        assert history.refused(signed) == "wrong_signers"
    other = history.route(TH, MY, BD, TH, pair=pair, state=RouteState.SIGNED)
    assert history.refused(other) == "other_country"
    history.add(history.route(MY, MY, BD, pair=("my", "bd"), state=RouteState.SIGNED))
    assert history.register.routes.state("bd", "my") is RouteState.SIGNED
    history.add(history.route(BD, MY, BD, pair=pair, state=RouteState.SUSPENDED))
    assert history.register.routes.state("my", "bd") is RouteState.SUSPENDED


# The network's own root file


def _next_file(*, version: int = 2, rules: int | None = None) -> bytes:
    coordinators = [*listed(), Coordinator(OrgId("pk-c000000000000009"), "pk", NEW.public)]
    made = make_root(
        net=NET, log=LOG_KEY.public, hubs=[], coordinators=coordinators, version=version
    )
    body = parse_statement(made).body
    return body if rules is None else body.replace(b'"rules":1', b'"rules":%d' % rules)


def _root(history: History, signers: tuple[Signer, ...], file: bytes) -> Statement:
    heading = history.heading(signers[0].id)
    return root_statement(heading, *(one.key for one in signers), file=file)


@pytest.mark.parametrize("signers", [COORDINATORS[:1], COORDINATORS[:2]])
def test_too_few_coordinators_change_no_root_file(signers: tuple[Signer, ...]) -> None:
    history = History()
    assert history.refused(_root(history, signers, _next_file())) == "wrong_signers"


def test_most_coordinators_put_the_next_root_file_in_force_for_what_follows() -> None:
    history = History()
    newest = Signer(OrgId("pk-c000000000000009"), "pk")
    by_newest = history.vouch(newest, NEWCOMER.id, "e" * 64)
    assert history.refused(by_newest) == "unknown_author"
    history.add(_root(history, COORDINATORS[:3], _next_file()))
    assert history.register.root.version == 2
    assert history.register.root.coordinator(newest.id) is not None
    again = _root(history, COORDINATORS[:3], _next_file())
    assert history.refused(again) == "wrong_version"
    skipped = _root(history, COORDINATORS[:3], _next_file(version=4))
    assert history.refused(skipped) == "wrong_version"


def test_rules_that_this_program_does_not_know_stop_it_only_if_truly_agreed() -> None:
    history = History()
    unknown = _next_file(rules=2)
    assert history.refused(_root(history, COORDINATORS[:2], unknown)) == "wrong_signers"
    with pytest.raises(RulesUnknown, match="Install a newer version"):
        history.add(_root(history, COORDINATORS[:3], unknown))


# Chains of coordinators


def test_a_coordinators_chain_has_no_gap_either() -> None:
    history = History()
    member = history.enrol()
    known = history.register.organisation(member.id)
    assert known is not None
    vouch = history.vouch(MY, member.id, known.first)
    history.add(vouch)
    with pytest.raises(Refused) as caught:
        history.register.apply(Leaf(vouch, history.t))
    assert caught.value.code == "gap_in_seq"


def test_a_copy_of_a_register_goes_its_own_way() -> None:
    history = History()
    member = history.enrol()
    before = history.register.copy()
    history.add(history.freeze(member, by=MY))
    history.add(history.list_entry(BD.id, NEWCOMER.id, BD.key))
    history.add(history.route(MY, MY, BD, pair=("bd", "my"), state=RouteState.SIGNED))
    history.add(_root(history, COORDINATORS[:3], _next_file()))
    known = before.organisation(member.id)
    assert known is not None
    assert not known.frozen(history.t)
    assert (before.listings, before.root.version) == ((), 1)
    assert before.routes.state("bd", "my") is RouteState.CLOSED


def test_a_signature_by_the_right_key_over_other_bytes_does_not_count() -> None:
    history = History()
    member = history.enrol()
    one = history.freeze(member, by=MY)
    other = history.freeze(member, by=MY, since=0)
    assert history.refused(Statement(other.body, one.signatures)) == "bad_signature"


def test_a_coordinators_key_is_no_devices_key() -> None:
    history = History()
    member = history.enrol()
    assert history.refused(history.certify(member, MY.key)) == "key_already_used"
