"""The fold: a statement that breaks a rule changes nothing, and nobody speaks for another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.contents import Role, week_key
from contracts.drafting import device_statement, keys_statement, org_statement
from contracts.errors import Malformed, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf, decode_leaf, encode_leaf
from contracts.register import Register, RootChanged
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement, signed_statement
from contracts.times import DAY, WEEK
from tests.unit.contracts.authors import (
    BANGLADESH,
    MALAYSIA,
    NOW,
    READS,
    ROOT,
    Author,
    public_key,
    signing_key,
    weeks,
)
from tests.vouching import apply_all

Change = Callable[[dict[str, Any]], object]
NOBODY = KeyId("0" * 32)


def _folded(*statements: Statement, t: int = NOW) -> Register:
    register = Register(ROOT)
    apply_all(register, *statements, t=t)
    return register


def _refusal(register: Register, statement: Statement, *, t: int = NOW) -> tuple[str, str]:
    """The broken rule and the field; and that nothing changed."""
    before = register.organisations
    with pytest.raises(Refused) as caught:
        register.apply(Leaf(statement, t))
    assert register.organisations == before
    return caught.value.code, caught.value.field


def _again(statement: Statement, change: Change, *signers: SigningKey) -> Statement:
    """The statement with its body changed and signed anew."""
    body = json.loads(statement.body)
    change(body)
    return signed_statement(body, *signers)


def _unchanged(_body: dict[str, Any]) -> None:
    """Only the signatures are made anew."""


# What an honest admission leads to


def test_an_admitted_organisation_can_receive_at_once() -> None:
    register = _folded(*Author().admission())
    (device,) = register.usable_devices(MALAYSIA, NOW)
    assert device.key_id == Author().device_key().key_id
    assert (device.role, device.reads, device.suites) == (Role.ADMIN, READS, (1,))
    assert register.can_receive(MALAYSIA, NOW)
    assert not register.can_receive(MALAYSIA, NOW + 2 * WEEK)
    assert not register.can_receive(BANGLADESH, NOW)


def test_the_chain_stands_where_the_next_statement_continues_it() -> None:
    author = Author()
    register = _folded(*author.admission())
    assert register.next_heading(MALAYSIA, iat=NOW) == author.heading
    assert register.next_heading(BANGLADESH, iat=NOW).seq == 1


def test_a_copy_and_its_original_go_separate_ways() -> None:
    author = Author()
    enrolled, certified, _ = author.admission()
    original = _folded(enrolled)
    copy = original.copy()
    copy.apply(Leaf(certified, NOW))
    assert original.usable_devices(MALAYSIA, NOW) == ()
    assert len(copy.usable_devices(MALAYSIA, NOW)) == 1


# Organisations


def test_a_second_root_for_an_organisation_is_an_alarm_that_names_it() -> None:
    register = _folded(*Author().admission())
    with pytest.raises(RootChanged) as caught:
        register.apply(Leaf(Author(name="impostor").enrol(), NOW))
    assert (caught.value.code, caught.value.org) == ("root_changed", MALAYSIA)
    known = register.organisation(MALAYSIA)
    assert known is not None
    assert known.root == Author().root.public


def test_a_second_root_that_nobody_signed_raises_no_alarm() -> None:
    register = _folded(*Author().admission())
    forged = Statement(Author(name="impostor").enrol().body, ())
    assert _refusal(register, forged) == ("wrong_signers", "sigs")


def test_the_same_root_cannot_enrol_twice() -> None:
    register = _folded(*Author().admission())
    assert _refusal(register, Author().enrol(kind="court")) == ("org_repeated", "org")


def test_one_root_cannot_be_two_organisations() -> None:
    twin = Author(org=BANGLADESH).heading
    statement = org_statement(twin, root=Author().root, kind="ngo")
    assert _refusal(_folded(Author().enrol()), statement) == ("key_already_used", "root")


def test_an_organisation_begins_with_its_first_statement() -> None:
    late = replace(Author().heading, seq=2)
    statement = org_statement(late, root=Author().root, kind="ngo")
    assert _refusal(Register(ROOT), statement) == ("unknown_author", "by")


def test_a_statement_of_a_training_network_means_nothing_in_another() -> None:
    register = Register(ROOT)
    assert _refusal(register, Author(net="exercise.example").enrol()) == ("other_net", "net")


def test_nobody_writes_in_another_organisations_name() -> None:
    heading = replace(Author().heading, by=BANGLADESH)
    statement = org_statement(heading, root=Author().root, kind="ngo")
    assert _refusal(Register(ROOT), statement) == ("not_the_author", "by")


# Chains


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda b: b.update(seq=4), ("gap_in_seq", "seq")),
        (lambda b: b.update(seq=2), ("gap_in_seq", "seq")),
        (lambda b: b.update(prev="f" * 64), ("chain_broken", "prev")),
        (lambda b: b.update(org=BANGLADESH, by=BANGLADESH), ("unknown_author", "by")),
        (lambda b: b.update(typ="rumour"), ("unknown_type", "typ")),
        (lambda b: b.update(note="x"), ("unknown_member", "")),
    ],
)
def test_a_statement_that_does_not_chain_has_no_effect(
    change: Change, rule: tuple[str, str]
) -> None:
    author = Author()
    enrolled, certified, published = author.admission()
    register = _folded(enrolled, certified)
    broken = _again(published, change, author.device_key())
    assert _refusal(register, broken) == rule
    register.apply(Leaf(published, NOW))


def test_a_log_whose_time_falls_is_no_log() -> None:
    enrolled, certified, _ = Author().admission()
    register = _folded(enrolled)
    with pytest.raises(Malformed, match="time fell"):
        register.apply(Leaf(certified, NOW - 1))
    with pytest.raises(Malformed, match="time fell"):
        register.apply(Leaf(Statement(b"{}", ()), NOW - 1))


def test_a_refused_statement_still_moves_the_logs_time() -> None:
    register = Register(ROOT)
    _refusal(register, Statement(b"{}", ()), t=NOW + 5)
    with pytest.raises(Malformed, match="time fell"):
        register.apply(Leaf(Author().enrol(), NOW))


# Devices


def test_a_device_needs_its_own_signature_and_the_roots() -> None:
    author = Author()
    register = _folded(author.enrol())
    certified = author.certify()
    for signature in certified.signatures:
        lonely = Statement(certified.body, (signature,))
        assert _refusal(register, lonely) == ("wrong_signers", "sigs")
    stranger = _again(
        certified, _unchanged, author.root, author.device_key(), SigningKey(b"s" * 32)
    )
    assert _refusal(register, stranger) == ("wrong_signers", "sigs")
    register.apply(Leaf(certified, NOW))


def test_a_signature_over_other_bytes_certifies_nobody() -> None:
    author = Author()
    register = _folded(author.enrol())
    certified = author.certify()
    altered = Statement(certified.body.replace(b'"admin"', b'"system"'), certified.signatures)
    assert _refusal(register, altered) == ("bad_signature", "s")


def test_a_signing_key_stands_once_in_the_log() -> None:
    first, second = Author(), Author(org=BANGLADESH)
    register = _folded(*first.admission(), second.enrol())
    borrowed = device_statement(
        second.heading,
        root=second.root,
        device=first.device_key(),
        role=Role.ADMIN,
        nbf=NOW,
        naf=NOW + DAY,
    )
    assert _refusal(register, borrowed) == ("key_already_used", "sign")
    assert _refusal(register, first.certify()) == ("key_already_used", "sign")


def test_a_second_device_waits_a_day_so_that_a_stolen_stick_is_noticed() -> None:
    author = Author()
    register = _folded(*author.admission(), author.certify("second"))
    second = author.device_key("second").key_id
    assert second not in {device.key_id for device in register.usable_devices(MALAYSIA, NOW)}
    later = register.usable_devices(MALAYSIA, NOW + DAY)
    assert second in {device.key_id for device in later}


def test_an_admin_device_lets_a_second_device_count_at_once() -> None:
    author = Author()
    admission = author.admission()
    countersigned = author.certify("second", admin=author.device_key())
    register = _folded(*admission, countersigned)
    assert len(register.usable_devices(MALAYSIA, NOW)) == 2


def test_a_caseworkers_device_cannot_let_another_count_at_once() -> None:
    author = Author()
    enrolled, certified = author.enrol(), author.certify(role=Role.CASEWORKER)
    countersigned = author.certify("second", admin=author.device_key())
    register = _folded(enrolled, certified)
    assert _refusal(register, countersigned) == ("wrong_signers", "sigs")


def test_an_admin_device_outside_its_window_lets_nobody_count_at_once() -> None:
    author = Author()
    enrolled, certified = author.enrol(), author.certify(naf=NOW + DAY)
    countersigned = author.certify("second", admin=author.device_key())
    register = _folded(enrolled, certified)
    assert _refusal(register, countersigned, t=NOW + DAY) == ("wrong_signers", "sigs")


def test_a_device_of_another_organisation_is_not_found_under_this_one() -> None:
    register = _folded(*Author().admission(), *Author(org=BANGLADESH).admission())
    device = Author().device_key().key_id
    assert register.device(MALAYSIA, device) is not None
    assert register.device(BANGLADESH, device) is None


# Keys


def test_the_newest_keys_replace_but_mail_on_its_way_keeps_its_owner() -> None:
    author = Author()
    register = _folded(*author.admission())
    old = register.organisations[0].devices[0].keys
    later = NOW + WEEK
    register.apply(Leaf(author.publish(keys=weeks("new", at=later)), later))
    (device,) = register.organisations[0].devices
    assert device.keys == weeks("new", at=later)
    for key in (*old, *device.keys):
        owner = register.owner_of_key(key.key_id)
        assert owner is not None
        assert (owner.org, owner.device, owner.key) == (MALAYSIA, device.key_id, key)


def test_keys_are_published_by_the_device_itself_and_nobody_else() -> None:
    author, other = Author(), Author(org=BANGLADESH)
    enrolled, certified, published = author.admission()
    register = _folded(enrolled, certified, *other.admission())
    for signer in (author.root, other.device_key(), other.root, SigningKey(b"s" * 32)):
        forged = _again(published, _unchanged, signer)
        assert _refusal(register, forged)[0] in {"not_a_device", "wrong_signers"}
    both = _again(published, _unchanged, author.device_key(), other.device_key())
    assert _refusal(register, both)[0] in {"not_a_device", "wrong_signers"}
    assert _refusal(register, Statement(published.body, ())) == ("not_a_device", "sigs")


def test_a_device_publishes_nothing_outside_its_window() -> None:
    author = Author()
    enrolled, certified = author.enrol(), author.certify(nbf=NOW + 10, naf=NOW + 20)
    published = author.publish()
    register = _folded(enrolled, certified)
    for t in (NOW + 9, NOW + 20):
        assert _refusal(register.copy(), published, t=t) == ("outside_its_window", "sigs")
    register.apply(Leaf(published, NOW + 10))


def test_keys_are_not_published_further_ahead_than_a_quarter() -> None:
    author = Author()
    register = _folded(author.enrol(), author.certify())
    far = author.publish(keys=[week_key(public_key("far"), at=NOW + 14 * WEEK)])
    assert _refusal(register, far) == ("too_far_ahead", "keys")


def test_nobody_publishes_another_devices_key_as_its_own() -> None:
    victim, thief = Author(), Author(org=BANGLADESH)
    register = _folded(*victim.admission(), thief.enrol(), thief.certify())
    stolen = register.organisations[-1].devices[0].keys
    assert _refusal(register, thief.publish(keys=stolen)) == ("key_already_used", "keys")


def test_a_key_keeps_its_week() -> None:
    author = Author()
    register = _folded(*author.admission())
    moved = week_key(weeks(f"first {MALAYSIA}")[0].public, at=NOW + WEEK)
    assert _refusal(register, author.publish(keys=[moved])) == ("key_already_used", "keys")


def test_a_device_tops_up_by_naming_again_what_it_published() -> None:
    author = Author()
    register = _folded(*author.admission())
    register.apply(Leaf(author.publish(keys=weeks(f"first {MALAYSIA}", 13)), NOW))
    assert len(register.organisations[0].devices[0].keys) == 13


# Recipients, and the hub's check of them


def _two_countries() -> tuple[Register, Author, Author]:
    """Two organisations of two devices each, all with keys."""
    both = Author(), Author(org=BANGLADESH)
    register = Register(ROOT)
    for author in both:
        second = (*author.admission(), author.certify("second", admin=author.device_key()))
        apply_all(register, *second, author.publish("second"), t=NOW)
    return register, *both


def test_an_envelope_is_for_every_device_of_both_but_the_one_that_sends() -> None:
    register, sender, recipient = _two_countries()
    here = sender.device_key().key_id
    keys = register.recipients(to=BANGLADESH, sender=MALAYSIA, sender_device=here, now=NOW)
    owners = [register.owner_of_key(key.key_id) for key in keys]
    assert all(owner is not None for owner in owners)
    devices = [owner.device for owner in owners if owner is not None]
    theirs = sorted(recipient.device_key(name).key_id for name in ("first", "second"))
    assert devices == [*theirs, sender.device_key("second").key_id]
    ids = [key.key_id for key in keys]
    register.check_recipients(
        ids, to=BANGLADESH, sender=MALAYSIA, sender_device=here, iat=NOW, now=NOW
    )


def test_colleagues_desks_are_recipients_of_their_own_organisation() -> None:
    register, sender, _ = _two_countries()
    here = sender.device_key().key_id
    keys = register.recipients(to=MALAYSIA, sender=MALAYSIA, sender_device=here, now=NOW)
    assert [key.key_id for key in keys] == [_key_of(sender, "second")]
    ids = [key.key_id for key in keys]
    register.check_recipients(
        ids, to=MALAYSIA, sender=MALAYSIA, sender_device=here, iat=NOW, now=NOW
    )


@pytest.mark.parametrize(
    ("to", "now", "code"),
    [
        (OrgId("th-00000000000000cc"), NOW, "unknown_recipient"),
        (BANGLADESH, NOW + 3 * WEEK, "recipient_has_no_keys"),
        (BANGLADESH, NOW - 3 * WEEK, "recipient_has_no_keys"),
    ],
)
def test_nothing_is_sealed_to_whom_it_could_not_reach(to: OrgId, now: int, code: str) -> None:
    register, sender, _ = _two_countries()
    here = sender.device_key().key_id
    with pytest.raises(Refused) as caught:
        register.recipients(to=to, sender=MALAYSIA, sender_device=here, now=now)
    assert (caught.value.code, caught.value.field) == (code, "to")


def _key_of(author: Author, device: str, week: int = 0) -> KeyId:
    return weeks(f"{device} {author.org}")[week].key_id


def test_the_hub_refuses_keys_of_any_device_that_is_neither_partys() -> None:
    register, sender, recipient = _two_countries()
    third = Author(org=OrgId("th-00000000000000cc"))
    apply_all(register, *third.admission(), t=NOW)
    theirs, ours = _key_of(recipient, "first"), _key_of(sender, "second")
    for keys in (
        [theirs, _key_of(third, "first")],  # somebody else's device
        [theirs, _key_of(sender, "first")],  # the sending device itself
        [theirs, NOBODY],  # a key nobody published
        [theirs, theirs],  # one device twice
        [theirs, _key_of(recipient, "first", 1)],  # next week's key
        [ours],  # nobody at the recipient's
    ):
        with pytest.raises(Refused) as caught:
            register.check_recipients(
                keys,
                to=BANGLADESH,
                sender=MALAYSIA,
                sender_device=sender.device_key().key_id,
                iat=NOW,
                now=NOW,
            )
        assert (caught.value.code, caught.value.field) == ("keys_changed", "keys")


def test_the_hub_takes_either_weeks_key_around_midnight_of_monday_only() -> None:
    register, sender, recipient = _two_countries()
    midnight = weeks("any")[1].nbf
    this, following = _key_of(recipient, "first"), _key_of(recipient, "first", 1)

    def taken(key: KeyId, iat: int) -> bool:
        here = sender.device_key().key_id
        try:
            register.check_recipients(
                [key], to=BANGLADESH, sender=MALAYSIA, sender_device=here, iat=iat, now=iat
            )
        except Refused:
            return False
        return True

    assert taken(this, midnight + 299)
    assert taken(following, midnight - 299)
    assert not taken(this, midnight + 301)
    assert not taken(following, midnight - 301)


# Any order of legal and illegal statements

ORGS = st.sampled_from([OrgId(f"my-{number:016x}") for number in range(3)])
DEVICES = st.sampled_from(["first", "second", "third"])
CHANGES: dict[str, Change] = {
    "gap": lambda b: b.update(seq=b["seq"] + 1),
    "repeat": lambda b: b.update(seq=max(1, b["seq"] - 1), prev="e" * 64),
    "wrong prev": lambda b: b.update(prev="f" * 64),
    "other net": lambda b: b.update(net="demo.other"),
    "other author": lambda b: b.update(by="bd-ffffffffffffffff"),
    "unknown type": lambda b: b.update(typ="rumour"),
    "extra member": lambda b: b.update(note="x"),
    "later version": lambda b: b.update(v=2),
}


class AnyOrder(RuleBasedStateMachine):
    """Authors write legal statements; between them come statements with one thing wrong.

    The oracle is the register that has only ever seen the legal ones.
    """

    @initialize()
    def begin(self) -> None:
        self.register, self.t = Register(ROOT), NOW
        self.legal: list[bytes] = []
        self.all: list[bytes] = []
        self.published: set[KeyId] = set()

    @rule(seconds=st.integers(0, DAY))
    def time_passes(self, seconds: int) -> None:
        self.t += seconds

    @rule(org=ORGS, device=DEVICES, kind=st.sampled_from(["org", "device", "keys"]))
    def somebody_writes(self, org: OrgId, device: str, kind: str) -> None:
        drafted = self._draft(org, device, kind)
        if drafted is not None:
            self._accepted(drafted[0])

    @rule(
        org=ORGS,
        device=DEVICES,
        kind=st.sampled_from(["org", "device", "keys"]),
        fault=st.sampled_from(sorted(CHANGES)),
    )
    def somebody_breaks_a_rule(self, org: OrgId, device: str, kind: str, fault: str) -> None:
        drafted = self._draft(org, device, kind)
        if drafted is not None:
            statement, signers = drafted
            self._refused(_again(statement, CHANGES[fault], *signers))

    @rule(org=ORGS, device=DEVICES, kind=st.sampled_from(["org", "device", "keys"]), data=st.data())
    def somebody_forges(self, org: OrgId, device: str, kind: str, data: st.DataObject) -> None:
        drafted = self._draft(org, device, kind)
        if drafted is None:
            return
        statement, signers = drafted
        stranger = signing_key("stranger")
        others = data.draw(st.sampled_from([[], [stranger], [*signers, stranger], signers[1:]]))
        if list(others) != list(signers):
            self._refused(_again(statement, _unchanged, *others))
            flipped = bytearray(statement.signatures[0].value)
            flipped[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
            bad = replace(statement.signatures[0], value=bytes(flipped))
            self._refused(Statement(statement.body, (bad, *statement.signatures[1:])))

    @rule(data=st.data())
    def an_old_statement_is_replayed(self, data: st.DataObject) -> None:
        if self.legal:
            old = decode_leaf(data.draw(st.sampled_from(self.legal)))
            self._refused(old.statement)

    @rule(org=ORGS)
    def an_impostor_enrols(self, org: OrgId) -> None:
        if self.register.organisation(org) is not None:
            self._refused(Author(org=org, name="impostor").enrol())

    @invariant()
    def the_refused_might_as_well_not_have_been_there(self) -> None:
        honest, whole = Register(ROOT), Register(ROOT)
        for leaf in self.legal:
            honest.apply(decode_leaf(leaf))
        for leaf in self.all:
            try:
                whole.apply(decode_leaf(leaf))
            except Refused:
                continue
        assert honest.organisations == self.register.organisations == whole.organisations
        for key in self.published:
            assert honest.owner_of_key(key) == self.register.owner_of_key(key)

    @invariant()
    def no_key_belongs_to_two(self) -> None:
        devices = [d for org in self.register.organisations for d in org.devices]
        signing = [device.key_id for device in devices]
        encryption = [key.key_id for device in devices for key in device.keys]
        assert len(set(signing)) == len(signing)
        assert len(set(encryption)) == len(encryption)

    def _draft(
        self, org: OrgId, device: str, kind: str
    ) -> tuple[Statement, list[SigningKey]] | None:
        """What the organisation could legally write next, and who signs it."""
        author, known = Author(org=org), self.register.organisation(org)
        heading = self.register.next_heading(org, iat=self.t)
        key = author.device_key(device)
        certified = self.register.device(org, key.key_id)
        if kind == "org" and known is None:
            return org_statement(heading, root=author.root, kind="ngo"), [author.root]
        if kind == "device" and known is not None and certified is None:
            return self._certificate(heading, author, key), [author.root, key]
        if kind == "keys" and certified is not None and certified.in_window(self.t):
            keys = weeks(f"{device} {org}", 3, at=self.t)
            return keys_statement(heading, device=key, keys=keys, reads=READS), [key]
        return None

    def _certificate(self, heading: Heading, author: Author, key: SigningKey) -> Statement:
        return device_statement(
            heading,
            root=author.root,
            device=key,
            role=Role.ADMIN,
            nbf=self.t,
            naf=self.t + 30 * DAY,
        )

    def _accepted(self, statement: Statement) -> None:
        data = [encode_leaf(leaf) for leaf in apply_all(self.register, statement, t=self.t)]
        self.legal += data
        self.all += data
        devices = [d for org in self.register.organisations for d in org.devices]
        self.published |= {key.key_id for device in devices for key in device.keys}

    def _refused(self, statement: Statement) -> None:
        _refusal(self.register, statement, t=self.t)
        self.all.append(encode_leaf(Leaf(statement, self.t)))


AnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestAnyOrder = AnyOrder.TestCase
