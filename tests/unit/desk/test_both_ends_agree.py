"""Two organisations, two desks each, over a hub that loses, repeats and reorders.

A stateful test with every message of a case: caseworkers say whatever their own desk lets them,
and some desks sign what no desk should. Machines take turns in any order, mail arrives out of
order and twice, processes die between storing and acknowledging, servers go away. At rest every
desk has folded the same events to the same places, each event without effect was answered with
one problem, and nothing waits.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.desk.cases import claim_of, folded, view
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.outbox import deliver
from broker.desk.receiving import take
from broker.desk.records import Case, Entry, Sending
from broker.desk.saying import say, tell_colleagues
from broker.desk.sending import read_typed, send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.envelope import parse_envelope
from contracts.fold import Course, Place, told
from contracts.identifiers import EventId
from contracts.lifecycle import EVENT_TYPES, MOVES, Move, Side
from contracts.messages import new_message
from contracts.sentences import SENTENCES
from contracts.times import utc_text
from tests.unit.desk.said import body, every_place, forge, renewed
from tests.unit.desk.simulated import World, cases

DESKS = st.integers(0, 3)
MOST_CASES = 3
# What a desk may refuse although the lifecycle's table allows the step.
SAFETY = frozenset(SENTENCES) | {"claimed_by_colleague"}


def body_of(move: Move, desk: Desk, case: Case) -> JsonObject:
    """A body that makes this step, as the case stands."""
    if move.type == "consent.updated":
        return renewed(desk, case, feedback="outcome")
    changes: JsonObject = {}
    if move.type == "referral.status":
        changes = {"status": move.word}
    if move.type == "referral.cancelled":
        changes = {"reason": move.word or "moved_on"}
    if move.type == "erasure.confirmed":
        held: JsonObject = {"place": "desk", "result": "held", "hold": {"ground": "audit_duty"}}
        erased: JsonObject = {"place": "desk", "result": "erased", "on": "2026-11-20"}
        changes = {"places": every_place(held if move.word == "held" else erased)}
    return body(move.type, **changes)


def test_every_step_of_the_table_is_said_in_this_test(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    case = send_referral(ours, to=theirs.org, body=world.request(theirs)).case
    assert case is not None
    for move in MOVES:
        read = read_typed(move.type, body_of(move, ours, case))
        message = new_message(
            read, event_id=EventId("e" * 32), referral_ref=case.ref, at=utc_text(world.clock())
        )
        assert told(message, by=Side.REFERRER).move == move


def refusal(act: Callable[[], object]) -> str:
    """The code of the refusal, or ""."""
    try:
        act()
    except DeskError as refused:
        return refused.code
    return ""


class Network(RuleBasedStateMachine):
    """`desks` 0 and 1 are one organisation's, 2 and 3 the other's."""

    @initialize(seed=st.integers(0, 2**32))
    def two_organisations_with_two_desks_each(self, seed: int) -> None:
        self.patch = pytest.MonkeyPatch()  # ids decide ties, so a failure must have the same again
        self.patch.setattr("broker.desk.sending.random", Random(seed).randbytes)
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        first, second = self.world.organisation("my"), self.world.organisation("bd")
        self.desks = [
            first, self.world.second_desk(first), second, self.world.second_desk(second),
        ]  # fmt: skip
        for desk in self.desks:
            desk.log.sync()
        self.somebody_refers(0)
        self.world.settle(*self.desks)

    @rule(which=DESKS)
    def somebody_refers(self, which: int) -> None:
        peer = self.desks[0 if which > 1 else 2]
        if len({case.ref for desk in self.desks for case in cases(desk)}) < MOST_CASES:
            body = self.world.request(peer)
            send_referral(self.desks[which], to=peer.org, body=body)

    @rule(which=DESKS, number=st.integers(0, 20), move=st.sampled_from(MOVES))
    def somebody_says_anything(self, which: int, number: int, move: Move) -> None:
        desk = self.desks[which]
        if (case := self._case(desk, number)) is None:
            return
        allowed = self._allowed(desk, case)
        code = refusal(lambda: say(desk, case, move.type, body_of(move, desk, case)))
        assert (code in SAFETY) if move in allowed and code else (move in allowed) is not bool(code)

    @rule(which=DESKS, number=st.integers(0, 20), choice=st.integers(0, 100))
    def somebody_says_what_is_offered(self, which: int, number: int, choice: int) -> None:
        desk = self.desks[which]
        case = self._case(desk, number)
        if case is not None and (allowed := self._allowed(desk, case)):
            self.somebody_says_anything(which, number, allowed[choice % len(allowed)])

    @rule(
        which=DESKS, number=st.integers(0, 20), move=st.sampled_from(MOVES), data=st.data(),
        anywhere=st.booleans(),
    )  # fmt: skip
    def a_desk_signs_what_it_should_not(
        self, which: int, number: int, move: Move, data: st.DataObject, anywhere: bool
    ) -> None:
        """Any step, by any side; after what it knows, or after any of it."""
        desk = self.desks[which]
        if (case := self._case(desk, number)) is None:
            return
        after = None
        if anywhere:
            known = sorted({e.id for e in self._entries(desk, case) if _is_event(e)})
            after = data.draw(st.lists(st.sampled_from(known), max_size=2, unique=True))
        forge(desk, case, move.type, body_of(move, desk, case), after=after)

    @rule(which=DESKS, number=st.integers(0, 20), kind=st.sampled_from(["claimed", "released"]))
    def somebody_claims(self, which: int, number: int, kind: str) -> None:
        desk = self.desks[which]
        if (case := self._case(desk, number)) is None:
            return
        code = refusal(lambda: tell_colleagues(desk, case, kind))
        assert code in ("", "claimed_by_colleague")

    @rule(which=DESKS)
    def a_lost_answer_is_followed_by_a_change_of_keys(self, which: int) -> None:
        """The same event then arrives in two envelopes."""
        before = self.world.hub.lose_answers
        self.world.hub.lose_answers = True
        self.a_desk_sends(which)
        self.world.hub.lose_answers, self.world.hub.keys_changed = before, 1
        self.a_desk_sends(which)
        self.world.hub.keys_changed = 0

    @rule(which=DESKS)
    def a_desk_does_its_errands(self, which: int) -> None:
        tick(self.desks[which])

    @rule(which=DESKS)
    def a_desk_sends(self, which: int) -> None:
        deliver(self.desks[which], eager=True)

    @rule(number=st.integers(0, 100), acknowledged=st.booleans())
    def one_envelope_arrives(self, number: int, acknowledged: bool) -> None:
        """Any envelope, the newest first; sometimes the process dies before it acknowledges."""
        copies = self.world.hub.copies
        if copies:
            copy = copies[-1 - number % len(copies)]
            take(self._by_device(copy.device), copy.body)
            if acknowledged:
                copies.remove(copy)

    @rule(number=st.integers(0, 100))
    def an_old_envelope_arrives_again(self, number: int) -> None:
        if self.world.hub.taken:
            body = self.world.hub.taken[number % len(self.world.hub.taken)]
            header = parse_envelope(body).header
            for desk in self.desks:
                if desk.org in (header.sender, header.to):
                    take(desk, body)

    @rule(reachable=st.booleans(), lossy=st.booleans(), seconds=st.integers(0, 3600))
    def the_weather_changes(self, reachable: bool, lossy: bool, seconds: int) -> None:
        self.world.hub.reachable = reachable
        self.world.hub.lose_answers = lossy
        self.world.clock.pass_(seconds)

    @rule(which=DESKS)
    def a_process_dies(self, which: int) -> None:
        self.desks[which].store.close()
        self.desks[which] = self.world.again(self.desks[which])

    @invariant()
    def nothing_is_refused_on_arrival(self) -> None:
        for desk in getattr(self, "desks", ()):
            with desk.store.reading() as rows:
                assert not rows.rejected()

    def teardown(self) -> None:
        if not hasattr(self, "desks"):
            return
        try:
            self._come_to_rest()
            self._all_agree()
            self._every_void_event_was_answered_once()
            self._nothing_waits()
        finally:
            for desk in self.desks:
                desk.store.close()
            self.folder.cleanup()
            self.patch.undo()

    def _come_to_rest(self) -> None:
        self.world.hub.reachable, self.world.hub.lose_answers = True, False
        for _ in range(3):
            self.world.clock.pass_(1000)  # claims of processes that died run out
            for copy in self.world.hub.copies:
                copy.leased = False
            self.world.settle(*self.desks)

    def _all_agree(self) -> None:
        first, *others = [self._seen(desk) for desk in self.desks]
        for other in others:
            assert other.keys() == first.keys()
            for ref, (course, said) in other.items():
                assert said == first[ref][1]
                assert course == first[ref][0]
        claims = [self._claims(desk) for desk in self.desks]
        for ref in self._seen(self.desks[0]):
            assert claims[0][ref] == claims[1][ref]
            assert claims[2][ref] == claims[3][ref]

    def _seen(self, desk: Desk) -> dict[str, tuple[Course, frozenset[str]]]:
        """What a desk has of each case: its course, and the ids of all that was said.

        A request that was taken back before it left is known to one desk only.
        """
        found: dict[str, tuple[Course, frozenset[str]]] = {}
        for case in cases(desk):
            entries = self._entries(desk, case)
            if not all(_left(entry) for entry in entries if entry.is_request):
                continue
            said = [entry.id for entry in entries if _left(entry) and entry.type != "org.event"]
            course = folded(case, entries)
            assert replace(case, state=course.state, lead=course.lead) == case
            found[case.ref] = (course, frozenset(said))
        return found

    def _claims(self, desk: Desk) -> dict[str, str]:
        found = {}
        for case in cases(desk):
            claim = claim_of(self._entries(desk, case), device=desk.ring.device)
            found[str(case.ref)] = "" if claim is None else claim.device
        return found

    def _every_void_event_was_answered_once(self) -> None:
        for desk in self.desks:
            for case in cases(desk):
                entries = self._entries(desk, case)
                told = Counter(e.word for e in entries if e.own and e.type == "message.problem")
                void = {e.id for e in entries if not e.own and e.place is Place.VOID}
                assert {event: told[event] for event in void} == dict.fromkeys(void, 1)

    def _nothing_waits(self) -> None:
        settled = {Sending.STORED, Sending.SUPERSEDED, Sending.GIVEN_UP}
        for desk in self.desks:
            with desk.store.reading() as rows:
                assert {letter.state for letter in rows.letters()} <= settled
            for case in cases(desk):
                left = [entry for entry in self._entries(desk, case) if _left(entry)]
                assert all(entry.place is not Place.WAITING for entry in left)

    def _allowed(self, desk: Desk, case: Case) -> tuple[Move, ...]:
        with desk.store.reading() as rows:
            return view(rows, case, now=desk.clock()).moves

    def _case(self, desk: Desk, number: int) -> Case | None:
        found = cases(desk)
        return found[number % len(found)] if found else None

    def _entries(self, desk: Desk, case: Case) -> tuple[Entry, ...]:
        with desk.store.reading() as rows:
            return rows.entries(case.row)

    def _by_device(self, device: str) -> Desk:
        return next(desk for desk in self.desks if desk.ring.device == device)


def _is_event(entry: Entry) -> bool:
    return entry.is_request or (entry.type in EVENT_TYPES and _left(entry))


def _left(entry: Entry) -> bool:
    return entry.sending is not Sending.GIVEN_UP


TestBothEndsAgree = Network.TestCase
TestBothEndsAgree.settings = settings(
    max_examples=8,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink a network takes many minutes
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
