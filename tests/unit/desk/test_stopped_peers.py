"""After a freeze: nothing is sent to who may be in wrong hands, and what came is called doubtful.

And how old the knowledge of who is frozen may be, by whom it is that we write to.
"""

from __future__ import annotations

import pytest

from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.peers import CHECKED_FOR, Known, check_recipient, fresh_register, known_as
from broker.desk.sending import send_referral
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.drafting import freeze_statement
from contracts.fingerprint import fingerprint
from contracts.identifiers import KeyId, OrgId
from contracts.standing import FREEZE_LASTS, VOUCHED_FOR
from contracts.times import DAY
from tests.unit.desk.said import accepted, referred, speak, tell
from tests.unit.desk.simulated import World, busy, cases, entries
from tests.vouching import COORDINATORS


def freeze(world: World, org: OrgId, *, device: KeyId | None = None, since: int = 0) -> None:
    """A coordinator's freeze, in the log; nobody has seen it yet."""
    by = COORDINATORS[2]
    heading = world.log.register.next_heading(by.id, iat=world.clock(), org=org)
    suspected = since or world.clock()
    world.log.add(freeze_statement(heading, by.key, suspected_since=suspected, device=device))


def kinds(desk: Desk) -> list[str]:
    """What the list says of stopped peers."""
    return [one.kind for one in look(desk).outstanding if one.kind in ("frozen", "doubtful")]


def refusal(desk: Desk, world: World, theirs: Desk) -> str:
    """Why a new referral is not sent."""
    with pytest.raises(DeskError) as caught:
        send_referral(desk, to=theirs.org, body=world.request(theirs))
    return caught.value.code


def test_nothing_new_goes_to_a_frozen_organisation_and_running_cases_say_phone(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    freeze(world, theirs.org)
    world.clock.pass_(60)
    assert refusal(ours, world, theirs) == "they_are_frozen"
    assert "frozen" in kinds(ours)
    world.clock.pass_(FREEZE_LASTS)
    ours.log.sync()
    assert "frozen" not in kinds(ours)
    send_referral(ours, to=theirs.org, body=world.request(theirs))


def test_a_frozen_organisation_is_told_so_on_its_own_desk(
    world: World, ours: Desk, theirs: Desk
) -> None:
    freeze(world, ours.org)
    world.clock.pass_(60)
    assert refusal(ours, world, theirs) == "we_are_frozen"


def test_messages_of_a_frozen_device_in_the_queue_are_not_taken_whatever_their_date(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    speak(theirs, "referral.acknowledged")
    tick(theirs)  # the hub has it, and ours has not fetched
    ours.log.sync()
    world.clock.pass_(11)  # less than a desk waits before it looks by itself
    freeze(world, theirs.org, device=theirs.ring.device)
    before = len(entries(ours))
    tick(ours)
    assert len(entries(ours)) == before
    with ours.store.reading() as rows:
        assert [one.code for one in rows.rejected()] == ["device_not_certified"]


def test_what_was_stored_since_the_suspicion_began_is_called_doubtful(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    began = world.clock()
    world.clock.pass_(60)
    tell(world, theirs, ours, "referral.acknowledged")
    assert kinds(ours) == []
    freeze(world, theirs.org, device=theirs.ring.device, since=began)
    ours.log.sync()
    assert kinds(ours) == ["doubtful"]


def test_a_device_that_was_frozen_gets_no_more_mail(world: World, ours: Desk, theirs: Desk) -> None:
    second = world.second_desk(theirs)
    freeze(world, theirs.org, device=second.ring.device)
    referred(world, ours, theirs)
    assert cases(theirs)
    assert not busy(tick(second))


def test_nobody_new_is_referred_to_whom_nobody_vouches_for_any_more(
    ours: Desk, theirs: Desk
) -> None:
    ours.log.sync()
    register, now = ours.log.register, ours.clock() + VOUCHED_FOR
    with pytest.raises(DeskError) as caught:
        check_recipient(register, ours.routes_in(register), ours=ours.org, to=theirs.org, now=now)
    assert caught.value.code == "no_longer_vouched_for"


# How old the log may be


def test_up_to_seven_days_only_whom_we_know_and_then_only_whom_we_phoned(
    world: World, ours: Desk, theirs: Desk
) -> None:
    third = world.organisation("bd")
    accepted(world, ours, theirs)
    ours.log.sync()
    world.log.reachable = False

    def why(to: Desk, *, safer: bool = False) -> str:
        try:
            fresh_register(ours, to.org, safer=safer)
        except DeskError as error:
            return error.code
        return ""

    world.clock.pass_(DAY)
    assert (why(theirs), why(third)) == ("", "")
    world.clock.pass_(1)
    assert (why(theirs), why(third), why(third, safer=True)) == ("", "stale_mirror", "stale_mirror")
    world.clock.pass_(6 * DAY)
    assert why(theirs) == why(third) == "stale_mirror_pinned"
    assert (why(theirs, safer=True), why(third, safer=True)) == ("", "stale_mirror_pinned")
    called(ours, third.org)
    assert (why(theirs), why(third)) == ("stale_mirror_pinned", "")
    world.clock.pass_(CHECKED_FOR + 1)
    assert why(third) == "stale_mirror_pinned"


def called(desk: Desk, org: OrgId) -> None:
    """Somebody has compared the digits by phone."""
    known = desk.log.register.organisation(org)
    assert known is not None
    with desk.store.writing() as rows:
        rows.mark_checked(org, digits=fingerprint(org, root=known.root), at=desk.clock())


def test_a_call_about_another_root_key_is_no_call(ours: Desk, theirs: Desk) -> None:
    now = ours.clock()
    ours.log.sync()
    with ours.store.writing() as rows:
        rows.mark_checked(theirs.org, digits="0" * 40, at=now)
        assert known_as(rows, ours, theirs.org, now=now) is Known.STRANGER
        assert known_as(rows, ours, ours.org, now=now) is Known.PINNED
    called(ours, theirs.org)
    with ours.store.reading() as rows:
        assert known_as(rows, ours, theirs.org, now=now) is Known.CHECKED
        assert known_as(rows, ours, theirs.org, now=now + 8 * DAY) is Known.PINNED


def test_a_withdrawal_reaches_whom_we_know_though_the_directory_is_long_away(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    ours.log.sync()
    world.log.reachable = False
    world.clock.pass_(9 * DAY)
    speak(ours, "consent.withdrawn")
    with ours.store.reading() as rows:
        said = [one for one in rows.letters() if not one.is_receipt]
        kept = {rows.entry(one.entry_row).type: one.unsealed for one in said}
    assert kept["consent.withdrawn"] is False
