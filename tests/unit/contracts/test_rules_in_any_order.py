"""Random histories: what counts, and what it comes to, is what the rules say word by word.

Anybody writes anything, signed by those who must, by too few, or by others. `naive` decides from
the whole list of what counted whether it is legal; the register must decide the same, and then say
the same of every organisation, now and in the days to come.
"""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.contents import MAX_DEVICE_WINDOW, Role
from contracts.drafting import (
    confirm_statement,
    device_draft,
    freeze_statement,
    keys_statement,
    listing_statement,
    org_statement,
    recover_statement,
    revoke_statement,
    root_statement,
    route_statement,
    thaw_statement,
    vouch_statement,
)
from contracts.encoding import h256
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.log import Leaf, decode_leaf, encode_leaf
from contracts.register import Register
from contracts.root import make_root
from contracts.routing import RouteState
from contracts.standing import CHANGE_DELAY
from contracts.statements import Heading, Statement, countersigned, first_heading, parse_statement
from tests.unit.contracts.authors import NET, NOW, READS, ROOT, signing_key, weeks
from tests.unit.contracts.naive import HOUR, Naive, Said
from tests.vouching import COORDINATORS, LOG_KEY, listed

ORGS: Final = ("my-00000000000000aa", "bd-00000000000000bb")
WHO: Final = tuple(one.id for one in COORDINATORS)
COUNTRY: Final = {one.id: one.country for one in COORDINATORS}
KEY: Final = {one.id: one.key for one in COORDINATORS}
ROOTS: Final = tuple(f"root {number}" for number in range(8))
RECOVERY: Final = tuple(f"recovery {number}" for number in range(5))
DEVICES: Final = tuple(f"device {number}" for number in range(5))
ENTRIES: Final = tuple(h256(bytes([number])).hex() for number in range(2))
FAULTS: Final = ("none",) * 5 + ("one less", "one less", "one more", "others")
BEGUN: Final = tuple((one.id, one.country, f"{one.id} key") for one in COORDINATORS)
ANYONE: Final = st.sampled_from([*WHO[:3], ORGS[0], ORGS[0], ORGS[1]])
ORG: Final = st.sampled_from([*ORGS[:1] * 5, ORGS[1]])  # deep before wide
SELDOM: Final = st.sampled_from([False] * 4 + [True])
START: Final = NOW - NOW % HOUR


class InAnyOrder(RuleBasedStateMachine):
    """Everybody's next word, legal or not; the naive rules are asked about each."""

    @initialize(recovery=st.sampled_from([0, 2, 3]), certified=st.booleans())
    def begin(self, recovery: int, certified: bool) -> None:
        self.register, self.naive, self.t = Register(ROOT), Naive(BEGUN), START
        self.all: list[bytes] = []
        self.counted: list[bytes] = []
        org = ORGS[0]
        for by in WHO[:2]:
            self._vouched(org, by, ROOTS[0], recovery)
        self._begun(org, ROOTS[0], recovery)
        if certified:
            self._certified(org, DEVICES[0], "admin", [f"{org} {ROOTS[0]}"])

    @rule(hours=st.sampled_from([1, 5, 24, 47, 71, 72, 100, 24 * 31]))
    def time_passes(self, hours: int) -> None:
        self.t += hours * HOUR

    @rule(hours=st.integers(1, 80))
    def some_hours_pass(self, hours: int) -> None:
        self.t += hours * HOUR

    @rule(org=ORG, by=st.sampled_from(WHO), root=st.sampled_from(ROOTS[:2]), data=st.data())
    def a_word_is_given(self, org: str, by: str, root: str, data: st.DataObject) -> None:
        if not self.naive.exists(org) or data.draw(SELDOM):
            self._vouched(org, by, root, 3, data)

    @rule(org=ORG, root=st.sampled_from(ROOTS[:2]), data=st.data())
    def somebody_begins(self, org: str, root: str, data: st.DataObject) -> None:
        if not self.naive.exists(org):
            self._begun(org, root, 3, data)

    @rule(org=ORG, root=st.sampled_from(ROOTS), count=st.sampled_from([0, 2, 3]), data=st.data())
    def keys_are_changed(self, org: str, root: str, count: int, data: st.DataObject) -> None:
        if not self.naive.exists(org):
            return
        begins = data.draw(st.integers(0, 2))
        recovery = tuple(f"{org} {key}" for key in RECOVERY[begins : begins + count])
        new, now = signing_key(f"{org} {root}"), self.naive.root_at(org, self.t)
        statement = org_statement(
            self._heading(org), root=new, kind="ngo",
            recovery=[signing_key(key).public for key in recovery],
        )  # fmt: skip
        said = self._said("org", org, org, [now], data, root=f"{org} {root}", recovery=recovery)
        self._says(statement, said)

    @rule(org=ORG, device=st.sampled_from(DEVICES), admin=st.booleans(), data=st.data(),
          role=st.sampled_from(["admin", "admin", "caseworker"]))  # fmt: skip
    def a_device_is_certified(
        self, org: str, device: str, admin: bool, role: str, data: st.DataObject
    ) -> None:
        if self.naive.exists(org):
            helpers = sorted(self.naive.admins(org, self.t))[: int(admin)]
            keys = [self.naive.root_at(org, self.t), *helpers]
            self._certified(org, device, role, keys, data)

    @rule(org=ORG, device=st.sampled_from(DEVICES), data=st.data())
    def a_device_publishes(self, org: str, device: str, data: st.DataObject) -> None:
        name = f"{org} {device}"
        keys = weeks(f"{name} {self.t}", at=self.t)
        key = signing_key(name)
        statement = keys_statement(self._heading(org), device=key, keys=keys, reads=READS)
        said = self._said("keys", org, org, [name], data, device=name)
        if len(said.signers) == 1:  # of several, the first names the device
            said = Said(**{**vars(said), "device": min(said.signers)})
        self._says(statement, said)

    @rule(by=ANYONE, org=ORG, entry=st.sampled_from(ENTRIES), data=st.data())
    def an_entry_is_listed(self, by: str, org: str, entry: str, data: st.DataObject) -> None:
        self._listed("listing", by, org, entry, data)

    @rule(by=ANYONE, org=ORG, entry=st.sampled_from(ENTRIES), data=st.data())
    def an_entry_is_confirmed(self, by: str, org: str, entry: str, data: st.DataObject) -> None:
        self._listed("confirm", by, org, entry, data)

    @rule(by=st.sampled_from(WHO), other=st.sampled_from(WHO), data=st.data(),
          state=st.sampled_from([RouteState.SIGNED, RouteState.SUSPENDED]))  # fmt: skip
    def a_route_is_signed(
        self, by: str, other: str, state: RouteState, data: st.DataObject
    ) -> None:
        one, two = sorted((COUNTRY[OrgId(by)], COUNTRY[OrgId(other)]))
        if one == two or not data.draw(SELDOM):
            return
        statement = route_statement(
            self._heading(by), pair=(one, two), mou=state, contracts=["case-referral/1"]
        )
        keys = [f"{by} key", f"{other} key"]
        self._says(statement, self._said("route", by, by, keys, data, pair=(one, two), state=state))

    @rule(by=ANYONE, org=ORG, ago=st.sampled_from([-1, 0, 1, 50]), data=st.data())
    def an_organisation_is_frozen(self, by: str, org: str, ago: int, data: st.DataObject) -> None:
        since = self.t - ago * HOUR
        statement = freeze_statement(self._heading(by, org), suspected_since=since)
        self._says(statement, self._said("freeze", by, org, self._two(by), data, since=since))

    @rule(org=ORG, by=st.permutations(WHO), hours=st.integers(0, 71))
    def two_countries_freeze(self, org: str, by: list[str], hours: int) -> None:
        for one in by[:2]:
            statement = freeze_statement(self._heading(one, org), suspected_since=self.t)
            said = self._said("freeze", one, org, [f"{one} key"], since=self.t)
            self._says(statement, said)
            self.t += hours * HOUR

    @rule(by=ANYONE, org=ORG, device=st.sampled_from(DEVICES), data=st.data(),
          ago=st.sampled_from([-1, 0, 1, 50]), admin=st.booleans())  # fmt: skip
    def a_device_is_frozen(
        self, by: str, org: str, device: str, ago: int, admin: bool, data: st.DataObject
    ) -> None:
        name, since = f"{org} {device}", self.t - ago * HOUR
        statement = freeze_statement(
            self._heading(by, org), suspected_since=since, device=signing_key(name).key_id
        )
        keys = self._two(by)
        if admin and by == org and self.naive.exists(org):
            keys = sorted(self.naive.admins(org, self.t))[:1]
        self._says(statement, self._said("freeze", by, org, keys, data, since=since, device=name))

    @rule(org=ORG, by=st.sampled_from(WHO), data=st.data())
    def a_freeze_is_thawed(self, org: str, by: str, data: st.DataObject) -> None:
        if self.naive.exists(org):
            keys = [self.naive.root_at(org, self.t), f"{by} key"]
            statement = thaw_statement(self._heading(org))
            self._says(statement, self._said("thaw", org, org, keys, data))

    @rule(org=ORG, device=st.sampled_from(DEVICES), root=st.booleans(), data=st.data())
    def a_device_is_revoked(self, org: str, device: str, root: bool, data: st.DataObject) -> None:
        if self.naive.exists(org):
            name = f"{org} {device}"
            keys = [self.naive.root_at(org, self.t)] if root else self._two(org)
            statement = revoke_statement(self._heading(org), device=signing_key(name).key_id)
            self._says(statement, self._said("revoke", org, org, keys, data, device=name))

    @rule(org=ORG, root=st.sampled_from(ROOTS), count=st.sampled_from([2, 3]), data=st.data())
    def keys_are_recovered(self, org: str, root: str, count: int, data: st.DataObject) -> None:
        name, begins = f"{org} {root}", data.draw(st.integers(0, 2))
        recovery = tuple(f"{org} {key}" for key in RECOVERY[begins : begins + count])
        statement = recover_statement(
            self._heading(org), root=signing_key(name).public,
            recovery=[signing_key(key).public for key in recovery],
        )  # fmt: skip
        keys = [*self._two(org), name]
        said = self._said("recover", org, org, keys, data, root=name, recovery=recovery)
        self._says(statement, said)

    @rule(by=st.sampled_from(WHO), without=st.sampled_from([*WHO, ""]), data=st.data())
    def the_root_file_changes(self, by: str, without: str, data: st.DataObject) -> None:
        if not data.draw(SELDOM):
            return
        coordinators = tuple(one for one in BEGUN if one[0] != without)
        made = make_root(
            net=NET, log=LOG_KEY.public, hubs=[], version=self.register.root.version + 1,
            coordinators=[one for one in listed() if one.id != without],
        )  # fmt: skip
        statement = root_statement(self._heading(by), file=parse_statement(made).body)
        keys = [f"{one} key" for one in self.naive.coordinators()]
        said = self._said("root", by, by, keys, data, coordinators=coordinators)
        self._says(statement, said)

    @rule(new=st.sampled_from(ROOTS), hours=st.integers(0, 80), data=st.data())
    def stick_against_recovery(self, new: str, hours: int, data: st.DataObject) -> None:
        self.keys_are_recovered(ORGS[0], new, 2, data)
        self.t += hours * HOUR
        self.keys_are_changed(ORGS[0], data.draw(st.sampled_from(ROOTS)), 3, data)
        self.a_device_is_certified(
            ORGS[0], data.draw(st.sampled_from(DEVICES)), False, "admin", data
        )

    @rule(data=st.data())
    def what_counted_is_said_again(self, data: st.DataObject) -> None:
        old = decode_leaf(data.draw(st.sampled_from(self.counted)))
        known = self._shown(self.register)
        with pytest.raises(Refused):
            self.register.apply(Leaf(old.statement, self.register.time))
        assert self._shown(self.register) == known

    @invariant()
    def the_register_says_what_the_rules_say(self) -> None:
        for org in map(OrgId, ORGS):
            found = self.register.organisation(org)
            assert (found is not None) == self.naive.exists(org)
            for at in (self.t, self.t + 24 * HOUR, self.t + 73 * HOUR) if found else ():
                assert found is not None
                now = self.naive.in_force(org, at)
                recovery = tuple(signing_key(key).public for key in now.recovery)
                assert found.root_at(at) == signing_key(now.root).public
                assert found.recovery_at(at) == recovery
                assert found.frozen(at) == self.naive.frozen(org, at)
                names = (f"{org} {device}" for device in DEVICES)
                speaking = {one for one in names if self.naive.speaks(org, one, at)}
                usable = self.register.usable_devices(org, at)
                assert {one.key_id for one in usable} == {_key_id(one) for one in speaking}
                for device in found.devices:
                    assert device == self.register.device(org, device.key_id)

    @invariant()
    def nothing_that_waits_counts_before_72_hours(self) -> None:
        for found in self.register.organisations:
            if found.pending is not None and found.pending.counts_from is not None:
                assert found.pending.counts_from >= found.pending.t + CHANGE_DELAY

    def teardown(self) -> None:
        """The same leaves, with the refused and without, lead to the same register."""
        if hasattr(self, "all"):
            for leaves in (self.all, self.counted):
                register = Register(ROOT)
                for leaf in leaves:
                    _apply(register, decode_leaf(leaf))
                _apply(register, Leaf(Statement(b"{}", ()), self.register.time))
                assert self._shown(register) == self._shown(self.register)

    def _vouched(
        self, org: str, by: str, root: str, recovery: int, data: st.DataObject | None = None
    ) -> None:
        name, statement = f"{org} {root}", self._beginning(org, root, recovery)
        known = self.register.organisation(OrgId(org))
        again = known is not None and self.naive.about(org, "org")[0].root == name
        of = known.first if known is not None and again else statement.hash
        said = self._said("vouch", by, org, [f"{by} key"], data, of=name)
        self._says(vouch_statement(self._heading(by, org), of=of), said)

    def _begun(self, org: str, root: str, recovery: int, data: st.DataObject | None = None) -> None:
        name, keys = f"{org} {root}", tuple(f"{org} {key}" for key in RECOVERY[:recovery])
        said = self._said("org", org, org, [name], data, root=name, recovery=keys, first=True)
        self._says(self._beginning(org, root, recovery), said)

    def _beginning(self, org: str, root: str, recovery: int) -> Statement:
        heading = first_heading(net=NET, by=OrgId(org), iat=START)
        publics = [signing_key(f"{org} {key}").public for key in RECOVERY[:recovery]]
        key = signing_key(f"{org} {root}")
        return org_statement(heading, root=key, kind="ngo", recovery=publics)

    def _certified(
        self, org: str, device: str, role: str, keys: list[str], data: st.DataObject | None = None
    ) -> None:
        name, ends = f"{org} {device}", self.t + MAX_DEVICE_WINDOW
        statement = device_draft(
            self._heading(org), device=signing_key(name).public, role=Role(role),
            nbf=self.t, naf=ends,
        )  # fmt: skip
        said = self._said("device", org, org, [*keys, name], data, device=name, role=role)
        self._says(statement, Said(**{**vars(said), "nbf": self.t, "naf": ends}))

    def _listed(self, typ: str, by: str, org: str, entry: str, data: st.DataObject) -> None:
        make = listing_statement if typ == "listing" else confirm_statement
        keys = [f"{by} key"]
        if by == org:
            keys = sorted(self.naive.admins(org, self.t))[:1] if self.naive.exists(org) else []
        statement = make(self._heading(by, org), entry=entry)
        self._says(statement, self._said(typ, by, org, keys, data, entry=entry))

    def _two(self, by: str) -> list[str]:
        """Two recovery keys in force, or a coordinator's own."""
        if by in WHO:
            return [f"{by} key"]
        return list(self.naive.in_force(by, self.t).recovery[-2:]) if self.naive.exists(by) else []

    def _heading(self, by: str, org: str | None = None) -> Heading:
        about = OrgId(by) if org is None else OrgId(org)
        return self.register.next_heading(OrgId(by), iat=self.t, org=about)

    def _said(
        self, typ: str, by: str, org: str, keys: list[str],
        data: st.DataObject | None = None, **more: object,
    ) -> Said:  # fmt: skip
        signers = frozenset(keys)
        fault = "none" if data is None else data.draw(st.sampled_from(FAULTS))
        if data is not None and fault != "none":
            own = [f"{org} {key}" for key in (*ROOTS, *RECOVERY, *DEVICES)] if org in ORGS else []
            other = st.sampled_from([*own, *(f"{one} key" for one in WHO)])
            if fault == "one less" and signers:
                signers -= {data.draw(st.sampled_from(sorted(signers)))}
            elif fault == "one more":
                signers |= {data.draw(other)}
            else:
                signers = data.draw(st.frozensets(other, max_size=4))
        return Said(typ, by, org, self.t, signers, **more)  # type: ignore[arg-type] # by name

    def _says(self, draft: Statement, said: Said) -> None:
        """The statement, truly signed, counts exactly if the rules say so word by word."""
        statement = Statement(draft.body, ())
        for name in said.signers:
            key = KEY.get(OrgId(name.removesuffix(" key"))) or signing_key(name)
            statement = countersigned(statement, key)
        leaf = Leaf(statement, said.t)
        self.all.append(encode_leaf(leaf))
        known, twin = self._shown_at(said.t), self.register.copy()
        if self.naive.legal(said):
            self.register.apply(leaf)
            self.naive.said.append(said)
            self.counted.append(self.all[-1])
            _apply(twin, Leaf(Statement(b"{}", ()), said.t))
            assert self._shown(twin) == known
        else:
            with pytest.raises(Refused):
                self.register.apply(leaf)
            assert self._shown(self.register) == known

    def _shown_at(self, t: int) -> object:
        _apply(self.register, Leaf(Statement(b"{}", ()), t))
        return self._shown(self.register)

    def _shown(self, register: Register) -> object:
        headings = [register.next_heading(OrgId(one), iat=0) for one in (*WHO, *ORGS)]
        words = [register.vouches(OrgId(org), self._first(org)) for org in ORGS]
        return (
            register.root, register.organisations, register.listings, register.routes, headings,
            words,
        )  # fmt: skip

    def _first(self, org: str) -> str:
        return self._beginning(org, ROOTS[0], 3).hash


def _apply(register: Register, leaf: Leaf) -> None:
    try:
        register.apply(leaf)
    except Refused:
        return


def _key_id(name: str) -> str:
    return signing_key(name).key_id


InAnyOrder.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestInAnyOrder = InAnyOrder.TestCase
