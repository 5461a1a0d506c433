"""Days on which a machine or a person fails badly, lived through by the programs that really run.

A directory and a witness put back from old backups, alone and together: the real processes. News
held back from one desk for days: the real desk and its mirror, on a clock of ours. A thief's
messages that lie at the hub when the computer is frozen: the real hub and desks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.peers import fresh_register
from broker.desk.saying import write
from broker.desk.sending import send_referral
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from broker.mirror import Mirror
from broker.service.database import open_engine
from contracts.drafting import freeze_statement
from contracts.identifiers import KeyId, OrgId
from contracts.log import encode_leaf
from contracts.root import RootFile, make_root, parse_root
from contracts.statements import Statement
from contracts.times import DAY
from tests.journeys.network import CommandLineDesk, running
from tests.journeys.witnessed import COUNTRIES, DIRECTORY, NET, Witnessed, witnessed
from tests.services.processes import wait_until
from tests.unit.desk.said import accepted, body, speak
from tests.unit.desk.simulated import NET as SIMULATED
from tests.unit.desk.simulated import SERVICE, World
from tests.unit.directory.support import Member
from tests.unit.mirror.directories import URL, WATCHERS, Directory
from tests.vouching import COORDINATORS, LOG_KEY, listed

# Put back together, as a machine is. The mark beside the log's key lies outside the database on
# purpose, and must not be put back; that it was must not matter where witnesses answer.
ROLLED_BACK: Final = {
    "the directory's database": ("directory.db",),
    "one machine with the directory and a witness": ("directory.db", "log.key.signed", "bd.db"),
    "the databases of most witnesses": ("bd.db", "id.db"),
}


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Witnessed]:
    with witnessed(tmp_path) as network:
        yield network


def newcomer(number: int) -> Sequence[Statement]:
    """An organisation's first three statements."""
    return Member.new(f"my-{number:016x}", net=NET, now=int(time.time())).statements


@pytest.mark.parametrize("files", ROLLED_BACK.values(), ids=ROLLED_BACK.keys())
def test_an_old_backup_is_put_back_and_nothing_that_was_answered_is_lost(
    network: Witnessed, files: Sequence[str]
) -> None:
    ends = {DIRECTORY if name[:2] not in COUNTRIES else name[:2] for name in files}
    network.coordinators.join(*newcomer(1))
    network.wait_for_witnesses()
    everywhere(network.stop, ends)
    backup = network.backup(*files)
    everywhere(network.start, ends)
    network.wait_until_open()
    later = newcomer(2)
    places = network.coordinators.join(*later)
    before, truth = network.wait_for_witnesses(), network.leaves()
    desk = mirror_at(network)
    desk.sync()

    everywhere(network.stop, ends)
    network.restore(backup)
    forgot = [name for name in files if name.endswith(".db")]
    assert {network.rows(name) for name in forgot} == {before.size - 5}
    seen = Seen(network)
    everywhere(network.start, ends)
    seen.until(lambda: network.leaves() == truth and network.shown() == before)

    # What was answered stands where it was said to stand, and the log goes on from there.
    assert [network.coordinators.post(one) for one in later] == places
    network.coordinators.join(*newcomer(3))
    after = network.wait_for_witnesses()
    assert network.leaves()[: before.size] == truth
    assert after.size == before.size + 5
    assert min(seen.sizes, default=before.size) == before.size
    desk.sync()
    assert (desk.size, desk.stopped, desk.fork) == (after.size, None, None)
    assert network.alarms() == []
    desk.close()


def everywhere(what: Callable[[str], None], names: set[str]) -> None:
    for name in sorted(names):
        what(name)


def mirror_at(network: Witnessed) -> Mirror:
    """A desk's copy of the log, over HTTP."""
    engine = open_engine(f"sqlite:///{network.folder / 'mirror.db'}")
    return Mirror(
        engine=engine,
        root=network.root,
        directory_url=network.url(DIRECTORY),
        clock=lambda: int(time.time()),
    )


@dataclass
class Seen:
    """The size of every checkpoint that was shown to whoever asked."""

    network: Witnessed
    sizes: set[int] = field(default_factory=set)

    def until(self, whole: Callable[[], bool]) -> None:
        def looked() -> bool:
            shown = self.network.shown()
            if shown is not None:
                self.sizes.add(shown.size)
            return whole()

        wait_until(looked, "the log to be whole again", seconds=120, every=0.1)


# A freeze is held back from one desk: it is shown the checkpoint of before, which was true then.


@dataclass
class Withholding:
    """A directory that everybody hears the news from, but for one desk."""

    world: World
    shown_to_us: Directory

    def from_now_on(self) -> None:
        self._take_over()
        self.shown_to_us.shown = self.shown_to_us.note()

    def no_more(self) -> None:
        self._take_over()
        self.shown_to_us.shown = None

    def _take_over(self) -> None:
        self.shown_to_us.leaves = [encode_leaf(leaf) for leaf in self.world.log.leaves]


@pytest.fixture
def withholding(world: World, theirs: Desk, ours: Desk) -> Iterator[Withholding]:  # noqa: ARG001 - they are in the log
    """`ours` follows the log by a real mirror, in a network of eight witnesses."""
    shown = Directory(world.clock, net=SIMULATED, witnesses=WATCHERS)  # type: ignore[arg-type]  # a clock is called
    withholding = Withholding(world, shown)
    world.organisation("bd")
    withholding.no_more()
    engine = open_engine(f"sqlite:///{world.folder / 'mirror.db'}")
    ours.log = mirror = Mirror(
        engine=engine,
        root=_witnessed_root(world),
        directory_url=URL,
        clock=world.clock,
        transport=shown.transport,
    )
    mirror.sync()
    yield withholding
    mirror.close()
    engine.dispose()


def test_a_freeze_withheld_from_one_desk_reaches_nobody_and_is_said_after_a_day(
    world: World, ours: Desk, theirs: Desk, withholding: Withholding
) -> None:
    accepted(world, ours, theirs)
    [stranger] = [
        one.id for one in world.log.register.organisations if one.id not in (ours.org, theirs.org)
    ]
    withholding.from_now_on()
    world.clock.pass_(60)
    freeze(world, theirs)

    # Within a day the desk cannot know. The hub does: what is sealed for a thief lies nowhere.
    carried = len(world.hub.copies)
    write(ours, to=theirs.org, message_type="capacity.query", body=body("capacity.query"))
    tick(ours)
    assert len(world.hub.copies) == carried
    assert "frozen" not in outstanding(ours)

    # After a day: nothing new to strangers, and the warning whenever something is done.
    world.clock.pass_(DAY)
    assert troubles(ours) >= {"old_mirror"}
    assert why_not(ours, stranger) == "stale_mirror"
    assert why_not(ours, theirs.org) == ""

    # After a week: nothing, to nobody, but what can only make somebody safer.
    world.clock.pass_(6 * DAY)
    assert troubles(ours) >= {"old_checkpoint"}
    with pytest.raises(DeskError) as caught:
        send_referral(ours, to=theirs.org, body=world.request(theirs))
    assert caught.value.code == "stale_mirror_pinned"
    assert why_not(ours, theirs.org, safer=True) == ""
    speak(ours, "consent.withdrawn")

    # The day it is no longer held back, the desk says whom to phone.
    withholding.no_more()
    tick(ours)
    assert "frozen" in outstanding(ours)
    with pytest.raises(DeskError) as caught:
        send_referral(ours, to=theirs.org, body=world.request(theirs))
    assert caught.value.code == "they_are_frozen"


def freeze(world: World, frozen: Desk) -> None:
    """A coordinator stops all of an organisation, in the log of everybody else."""
    by, now = COORDINATORS[2], world.clock()
    for one in (by, COORDINATORS[3]):  # of two countries: it lasts until the thaw
        heading = world.log.register.next_heading(one.id, iat=now, org=frozen.org)
        world.log.add(freeze_statement(heading, one.key, suspected_since=now))


def outstanding(desk: Desk) -> set[str]:
    return {one.kind for one in look(desk).outstanding}


def troubles(desk: Desk) -> set[str]:
    """What a round says to whoever looks at this desk."""
    return {getattr(one, "code", "") for one in tick(desk, eager=True).troubles}


def why_not(desk: Desk, to: OrgId, *, safer: bool = False) -> str:
    """Why the desk would seal nothing for them now."""
    try:
        fresh_register(desk, to, safer=safer)
    except DeskError as error:
        return error.code
    return ""


def _witnessed_root(world: World) -> RootFile:
    return parse_root(
        make_root(
            net=SIMULATED,
            log=LOG_KEY.public,
            hubs=world.root.hubs,
            coordinators=listed(),
            witnesses=[one.public for one in WATCHERS],
            k=5,
        )
    )


# A thief has a caseworker's computer and has written; the message lies at the hub.


def test_a_message_of_a_frozen_device_that_lies_at_the_hub_is_stored_nowhere(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as network:
        ours, theirs = network.desk("my"), network.desk("bd")
        began = int(time.time())
        reference = refer(ours, theirs)
        stolen = theirs.json("keys")["device"]
        answer = ("answer", reference, "accept", "--role", "caseworker")
        assert theirs.json(*answer)["sent"] == ["referral.acknowledged", "referral.accepted"]
        network.wait_for_mail()  # it lies there, sealed and accepted

        network.coordinators.freeze(OrgId(theirs.org), device=KeyId(stolen), since=began)
        # Somebody phones, as after every freeze; marking the call looks at the log.
        ours.json("keys", "checked", theirs.org, "--yes")
        [case] = ours.json("inbox")["cases"]
        assert case["state"] == "delivered"  # by the receipt, which came before
        assert ours.json("status")["unreadable"] == 2

        # The thief can say nothing more, and gets nothing.
        said = theirs.run("answer", reference, "referral.status", "--body", "-", "--json",
                          given=b'{"status": "started"}')  # fmt: skip
        refused = said.code == 1 or said.value["kept"] is True
        assert refused, said
        accepted_before = network.accepted()
        theirs.run("inbox")
        assert network.accepted() == accepted_before
        [case] = ours.json("inbox")["cases"]
        assert case["state"] == "delivered"


def refer(ours: CommandLineDesk, theirs: CommandLineDesk) -> str:
    """A referral that is stored there, and known here to be."""
    to = ("--to", theirs.org)
    example = ours.run("send", "--example", *to, "--service", SERVICE)
    reference = ours.json("send", *to, "-", given=example.out.encode())["reference"]
    assert theirs.json("inbox")["cases"]
    [case] = ours.json("inbox")["cases"]
    assert (case["reference"], case["state"]) == (reference, "delivered")
    return str(reference)
