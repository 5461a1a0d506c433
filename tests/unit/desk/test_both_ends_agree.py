"""Two organisations, two desks each, over a hub that loses, repeats and reorders.

A stateful test: caseworkers send and answer whenever their own desk lets them, machines take
turns in any order, mail arrives out of order and twice, processes die between storing and
acknowledging, servers go away. At rest every desk holds the same cases in the same states, and
nothing was shown twice.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from broker.desk.cases import fold
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.outbox import deliver
from broker.desk.receiving import take
from broker.desk.records import Entry, Place, Sending
from broker.desk.sending import answer, send_referral
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.identifiers import EventId
from contracts.lifecycle import Event, Side, State, messages_for
from tests.unit.desk.simulated import World, cases

DESKS = st.integers(0, 3)
BODIES: dict[Event, JsonObject] = {
    Event.ACKNOWLEDGED: {"by_role": "caseworker"},
    Event.ACCEPTED: {"focal_role": "caseworker"},
    Event.DECLINED: {"reason": "no_capacity", "next_step": "try_again_later"},
}


class Network(RuleBasedStateMachine):
    """`desks` 0 and 1 are one organisation's, 2 and 3 the other's."""

    @initialize()
    def two_organisations_with_two_desks_each(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        first, second = self.world.organisation("my"), self.world.organisation("bd")
        self.desks = [
            first, self.world.second_desk(first), second, self.world.second_desk(second),
        ]  # fmt: skip
        for desk in self.desks:
            desk.log.sync()

    @rule(which=DESKS)
    def somebody_refers(self, which: int) -> None:
        peer = self.desks[0 if which > 1 else 2]
        if sum(len(cases(desk)) for desk in self.desks) < 12:
            body = self.world.request(peer)
            send_referral(self.desks[which], to=peer.org, body=body)

    @rule(which=DESKS, number=st.integers(0, 20), event=st.sampled_from(list(BODIES)))
    def somebody_answers(self, which: int, number: int, event: Event) -> None:
        desk = self.desks[which]
        received = [case for case in cases(desk) if case.side is Side.RECEIVER]
        if received:
            case = received[number % len(received)]
            possible = messages_for(case.state, event)
            with nullcontext() if possible else pytest.raises(DeskError):
                answer(desk, case, event, BODIES[event])

    @rule(which=DESKS, event=st.sampled_from(list(BODIES)))
    def a_referral_is_answered_while_the_colleagues_are_away(
        self, which: int, event: Event
    ) -> None:
        sender, receiver = self.desks[which], self.desks[0 if which > 1 else 2]
        before = len(cases(receiver))
        self.somebody_refers(which)
        self.a_desk_sends(which)
        tick(receiver)
        if len(cases(receiver)) > before:
            self.somebody_answers(self.desks.index(receiver), -1, event)
            tick(receiver)
            tick(sender)

    @rule(which=DESKS, one=st.sampled_from(list(BODIES)), other=st.sampled_from(list(BODIES)))
    def two_colleagues_answer_the_same_referral_at_once(
        self, which: int, one: Event, other: Event
    ) -> None:
        self.somebody_refers(which)
        self.a_desk_sends(which)
        receivers = (0, 1) if which > 1 else (2, 3)
        for receiver in receivers:
            tick(self.desks[receiver])
        for receiver, event in zip(receivers, (one, other), strict=True):
            self.somebody_answers(receiver, -1, event)

    @rule(which=DESKS)
    def a_lost_answer_is_followed_by_a_change_of_keys(self, which: int) -> None:
        """The same event then arrives in two envelopes."""
        before = self.world.hub.lose_answers
        self.world.hub.lose_answers = True
        self.somebody_refers(which)
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
            for desk in self.desks:
                take(desk, body)

    @rule(reachable=st.booleans(), lossy=st.booleans())
    def the_weather_changes(self, reachable: bool, lossy: bool) -> None:
        self.world.hub.reachable = reachable
        self.world.hub.lose_answers = lossy

    @rule(which=DESKS)
    def a_process_dies(self, which: int) -> None:
        self.desks[which].store.close()
        self.desks[which] = self.world.again(self.desks[which])

    def teardown(self) -> None:
        if not hasattr(self, "desks"):
            return
        try:
            self._come_to_rest()
            self._all_agree()
        finally:
            for desk in self.desks:
                desk.store.close()
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        self.world.hub.reachable, self.world.hub.lose_answers = True, False
        for _ in range(3):
            self.world.clock.pass_(1000)  # claims of processes that died run out
            for copy in self.world.hub.copies:
                copy.leased = False
            self.world.settle(*self.desks)

    def _all_agree(self) -> None:
        seen = [
            {case.ref: (case.state, self._said(desk, case.row)) for case in cases(desk)}
            for desk in self.desks
        ]
        assert seen[0] == seen[1] == seen[2] == seen[3]
        assert all(state in _RESTING for state, _ in seen[0].values())

    def _said(self, desk: Desk, case_row: str) -> frozenset[tuple[EventId, Place]]:
        with desk.store.reading() as rows:
            entries = rows.entries(case_row)
        said = frozenset((entry.id, entry.place) for entry in entries)
        assert len(said) == len(entries)
        return said

    def _by_device(self, device: str) -> Desk:
        return next(desk for desk in self.desks if desk.ring.device == device)


_RESTING = frozenset({State.DELIVERED, State.ACKNOWLEDGED, State.ACCEPTED, State.DECLINED})

TestBothEndsAgree = Network.TestCase
TestBothEndsAgree.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Side, list[Entry]]:
    """A request and any answers, naming any earlier ones as their causes."""
    side = draw(st.sampled_from(Side))
    sending = draw(st.sampled_from(Sending))
    history = [entry("0", "referral.requested", side is Side.REFERRER, (), sending)]
    for number in range(1, draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["acknowledged", "accepted", "declined"]))
        causes = draw(st.lists(st.sampled_from([one.id for one in history] + [EventId("x" * 32)]),
                               max_size=3, unique=True))  # fmt: skip
        history.append(
            entry(str(number), f"referral.{kind}", draw(st.booleans()), tuple(causes), sending)
        )
    return side, history


def entry(digit: str, kind: str, own: bool, after: tuple[EventId, ...], sending: Sending) -> Entry:
    return Entry(
        row=digit, case_row="c", id=EventId(digit * 32), type=kind, own=own, after=after,
        at="", kept=0, sending=sending,
    )  # fmt: skip


@given(history=histories(), data=st.data())
def test_a_state_does_not_depend_on_the_order_of_arrival(
    history: tuple[Side, list[Entry]], data: st.DataObject
) -> None:
    side, entries = history
    shuffled = data.draw(st.permutations(entries))
    assert fold(side, entries) == fold(side, shuffled)


@given(histories())
def test_every_event_has_a_place_and_what_lacks_its_cause_waits(
    history: tuple[Side, list[Entry]],
) -> None:
    side, entries = history
    places = fold(side, entries).places
    assert places.keys() == {one.id for one in entries}
    for one in entries[1:]:
        if EventId("x" * 32) in one.after:
            assert places[one.id] is Place.WAITING
