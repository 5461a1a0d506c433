"""Keys on a page: shown to whoever opened the desk, and a device frozen only by asking twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.desk.keys_standing import keys_standing
from broker.desk.unlocking import Desk
from contracts.contents import Role
from contracts.drafting import device_statement, org_statement
from contracts.fingerprint import fingerprint
from contracts.signing import SigningKey
from contracts.standing import Device
from tests.unit.desk.simulated import DAY, World
from tests.unit.desk_web.windows import Window, hidden

FREEZE = "/keys/freeze"
PAST = "2026-01-01T08:30"


@pytest.fixture
def lost(world: World, ours: Desk) -> Desk:
    """Another computer of ours that somebody has lost."""
    return world.second_desk(ours)


@pytest.fixture
def window(world: World, ours: Desk, lost: Desk) -> Iterator[Window]:
    assert lost.org == ours.org
    window = Window.opened(world, ours)
    yield window
    window.close()


def device_of(world: World, desk: Desk) -> Device:
    device = world.log.register.device(desk.org, desk.ring.device)
    assert device is not None
    return device


def frozen(world: World, desk: Desk) -> bool:
    return device_of(world, desk).stopped is not None


def test_the_page_says_who_we_are_with_digits_code_and_devices(
    window: Window, ours: Desk, lost: Desk
) -> None:
    page = window.get("/keys").text
    assert keys_standing(ours).digits in page
    assert 'src="data:image/svg+xml' in page
    for device in (ours.ring.device, lost.ring.device):
        assert device in page
    assert "This desk can send and receive." in page
    assert "rujukan keys approve" in page


@pytest.fixture
def certified(world: World, ours: Desk) -> Desk:
    """A computer that somebody with our stick has certified, and no admin desk has signed."""
    desk, now = world.desk_for(ours.org), world.clock()
    heading = world.log.register.next_heading(ours.org, iat=now)
    world.log.add(
        device_statement(heading, root=world.sticks[ours.org], device=desk.ring.signing,
                         role=Role.ADMIN, nbf=now, naf=now + 300 * DAY)
    )  # fmt: skip
    ours.log.sync()
    return desk


@pytest.mark.parametrize("path", ["/status", "/keys"])
def test_a_device_that_the_stick_alone_certified_is_an_alarm_before_it_counts(
    world: World, ours: Desk, certified: Desk, path: str
) -> None:
    window = Window.opened(world, ours)
    page = window.get(path).text
    assert 'role="alert"' in page
    assert certified.ring.device in page
    assert "somebody has your stick" in page
    assert "Nothing is outstanding." not in page
    world.clock.pass_(DAY)
    assert "somebody has your stick" not in window.get(path).text
    window.close()


@pytest.mark.parametrize("path", ["/status", "/keys"])
def test_a_change_of_root_that_is_on_its_way_is_an_alarm_on_the_page(
    world: World, window: Window, ours: Desk, path: str
) -> None:
    assert 'role="alert"' not in window.get(path).text
    heading = world.log.register.next_heading(ours.org, iat=world.clock())
    new = SigningKey.generate()
    world.log.add(
        org_statement(heading, root=world.sticks[ours.org], kind="ngo", new_root=new.public)
    )
    world.clock.pass_(600)
    page = window.get(path).text
    assert "phone a coordinator now" in page
    assert "Two recovery keys can cancel it" in page
    assert fingerprint(ours.org, root=new.public) in page


def test_nothing_secret_is_on_the_page(window: Window, ours: Desk) -> None:
    page = window.get("/keys").text
    for secret in (ours.ring.signing.seed, ours.ring.archive_key):
        assert secret.hex() not in page


def test_a_desk_that_nobody_has_certified_shows_the_digits_of_its_key(
    world: World, ours: Desk
) -> None:
    stranger = world.desk_for(ours.org)
    stranger.log.sync()
    window = Window.opened(world, stranger)
    page = window.get("/keys").text
    assert keys_standing(stranger).here_digits in page
    assert "not certified yet" in page
    assert FREEZE not in page
    window.close()


def test_freezing_is_asked_twice_and_says_everything_it_does(
    world: World, window: Window, lost: Desk
) -> None:
    asked = window.post(FREEZE, device=lost.ring.device)
    assert asked.status_code == 200
    for words in ("for good", "whatever its date", "Phone the organisations", "go on"):
        assert words in asked.text
    assert not frozen(world, lost)
    done = window.post(FREEZE, [*hidden(asked), ("step", "freeze"), ("since", PAST),
                                ("sure", "yes")])  # fmt: skip
    assert done.status_code == 303
    assert frozen(world, lost)
    assert "Frozen for good" in window.get("/keys").text


@pytest.mark.parametrize(
    "fields",
    [
        {"since": PAST},
        {"sure": "yes"},
        {"since": "2099-01-01T00:00", "sure": "yes"},
        {"since": "yesterday", "sure": "yes"},
        {"since": "-0001-01-01T00:00", "sure": "yes"},
    ],
)
def test_without_the_tick_and_a_time_in_the_past_nothing_is_frozen(
    world: World, window: Window, lost: Desk, fields: dict[str, str]
) -> None:
    told = window.post(FREEZE, fields | {"device": lost.ring.device, "step": "freeze"})
    assert told.status_code == 200
    assert "Nothing was done." in told.text
    assert not frozen(world, lost)


def test_a_form_from_elsewhere_freezes_nothing(world: World, window: Window, lost: Desk) -> None:
    form = [("device", lost.ring.device), ("step", "freeze"), ("since", PAST), ("sure", "yes")]
    for headers in ({"Origin": "http://evil.example"}, {}, {"Origin": window.keeper.origin}):
        assert window.raw_post(FREEZE, form, **headers).status_code == 403
    assert window.get(FREEZE).status_code == 405
    assert not frozen(world, lost)


def test_nobody_without_the_session_sees_or_freezes_anything(
    world: World, window: Window, ours: Desk, lost: Desk
) -> None:
    stranger = window.other()
    assert stranger.get("/keys").status_code == 403
    assert ours.ring.device not in stranger.get("/keys").text
    form = [("device", lost.ring.device), ("step", "freeze"), ("since", PAST), ("sure", "yes")]
    assert stranger.raw_post(FREEZE, form, Origin=window.keeper.origin).status_code == 403
    assert not frozen(world, lost)


def test_a_locked_desk_shows_no_keys_and_freezes_nothing(
    world: World, window: Window, lost: Desk
) -> None:
    window.vault.lock()
    assert lost.ring.device not in window.get("/keys").text
    window.post(FREEZE, device=lost.ring.device, step="freeze", since=PAST, sure="yes")
    assert not frozen(world, lost)


def test_a_caseworkers_desk_is_offered_no_freezing_and_may_not(
    world: World, ours: Desk, lost: Desk
) -> None:
    window = Window.opened(world, lost)
    assert FREEZE not in window.get("/keys").text
    told = window.post(FREEZE, device=ours.ring.device, step="freeze", since=PAST, sure="yes")
    assert told.status_code == 409
    assert "role admin" in told.text
    assert not frozen(world, ours)
    window.close()


def test_with_the_directory_away_it_is_said_and_nothing_is_frozen(
    world: World, window: Window, lost: Desk
) -> None:
    assert window.get("/keys").status_code == 200
    world.log.reachable = False
    told = window.post(FREEZE, device=lost.ring.device, step="freeze", since=PAST, sure="yes")
    assert told.status_code == 409
    assert "directory" in told.text
    assert not frozen(world, lost)


def test_a_device_of_others_is_not_ours_to_freeze(
    world: World, window: Window, theirs: Desk
) -> None:
    told = window.post(FREEZE, device=theirs.ring.device, step="freeze", since=PAST, sure="yes")
    assert told.status_code == 409
    assert not frozen(world, theirs)


def test_the_computer_one_sits_at_is_named_before_it_silences_itself(
    window: Window, ours: Desk
) -> None:
    asked = window.post(FREEZE, device=ours.ring.device)
    assert "the computer you sit at" in asked.text
