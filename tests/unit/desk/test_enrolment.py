"""Making a desk: what the network accepts, where secrets go, what a second `init` does."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from broker.desk import shown_keys
from broker.desk.archive import Archive
from broker.desk.courier import tick
from broker.desk.enrolment import (
    ADMISSION,
    Enrolled,
    Newcomer,
    Passphrases,
    Request,
    certified,
    check_place,
    enrol,
    read_admission,
    read_request,
    request_device,
)
from broker.desk.errors import DeskError
from broker.desk.keyfile import Wrapping, open_key_file, reopen_key_file
from broker.desk.keyring import FILE_NAME, KeyRingFile, parse_ring
from broker.desk.keys_standing import keys_standing
from broker.desk.store import open_store
from broker.desk.unlocking import Desk
from contracts.contents import Role
from contracts.errors import Refused
from contracts.fingerprint import fingerprint
from contracts.register import Register
from contracts.statements import Statement
from contracts.times import DAY
from tests.unit.desk.simulated import FAST, START, World
from tests.vouching import apply_all

PASSPHRASES = Passphrases(b"fig lantern meadow quartz", b"stick of drift wood and salt")


def make(world: World, folder: Path, newcomer: Newcomer | None = None) -> Enrolled:
    return enrol(
        folder / "home",
        world.root,
        newcomer or Newcomer("my", "ngo"),
        PASSPHRASES,
        root_key_file=folder / "stick.key",
        admission_file=folder / "admission.json",
        now=START,
        cost=FAST,
    )


def statements_of(folder: Path) -> tuple[Statement, ...]:
    return read_admission(folder / "admission.json")


def test_the_admission_file_is_what_the_register_accepts_once_two_have_vouched(
    world: World, tmp_path: Path
) -> None:
    made = make(world, tmp_path)
    register = Register(world.root)
    # A directory whose clock is an hour behind takes it too.
    apply_all(register, *statements_of(tmp_path), t=START - 3600)
    known = register.organisation(made.org)
    assert known is not None
    assert fingerprint(made.org, root=known.root) == made.fingerprint
    assert [device.role for device in known.devices] == [Role.ADMIN]
    assert register.can_receive(made.org, START)
    assert made.root_hash == world.root.hash


def test_the_two_files_open_with_their_own_passphrase_only(world: World, tmp_path: Path) -> None:
    made = make(world, tmp_path)
    assert KeyRingFile.unlock(tmp_path / "home", PASSPHRASES.desk).ring.org == made.org
    assert made.org.encode() in open_key_file(tmp_path / "stick.key", PASSPHRASES.root_key).content
    with pytest.raises(DeskError):
        open_key_file(tmp_path / "stick.key", PASSPHRASES.desk)


def test_the_root_key_is_nowhere_but_on_the_stick(world: World, tmp_path: Path) -> None:
    make(world, tmp_path)
    root = json.loads(open_key_file(tmp_path / "stick.key", PASSPHRASES.root_key).content)["root"]
    ring = open_key_file(tmp_path / "home" / FILE_NAME, PASSPHRASES.desk).content
    assert root.encode() not in ring + (tmp_path / "admission.json").read_bytes()


def test_a_second_init_leaves_the_first_desk_untouched(world: World, tmp_path: Path) -> None:
    make(world, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DeskError) as caught:
        make(world, tmp_path)
    assert caught.value.code == "desk_exists"
    assert {path: path.read_bytes() for path in before} == before


def test_a_missing_stick_makes_nothing(world: World, tmp_path: Path) -> None:
    with pytest.raises(DeskError):
        enrol(
            tmp_path / "home", world.root, Newcomer("my", "ngo"), PASSPHRASES,
            root_key_file=tmp_path / "no stick" / "root.key",
            admission_file=tmp_path / "admission.json", now=START, cost=FAST,
        )  # fmt: skip
    assert not (tmp_path / "home" / FILE_NAME).exists()
    make(world, tmp_path)


@pytest.mark.parametrize(
    "newcomer", [Newcomer("MY", "ngo"), Newcomer("mys", "ngo"), Newcomer("m1", "ngo"),
                 Newcomer("my", "bank")],
)  # fmt: skip
def test_a_wrong_country_or_kind_is_a_sentence(
    world: World, tmp_path: Path, newcomer: Newcomer
) -> None:
    with pytest.raises(DeskError) as caught:
        make(world, tmp_path, newcomer)
    assert str(caught.value).endswith(".")
    assert not (tmp_path / "home").exists()


def test_two_organisations_of_one_country_do_not_share_an_id(world: World, tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ids.add(make(world, tmp_path / name).org)
    assert len(ids) == 2


# Coming into the network


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What `init` makes, once: a passphrase's key takes half a second."""
    folder = tmp_path_factory.mktemp("made")
    made = make(World(tmp_path_factory.mktemp("world")), folder)
    open_store(folder / "home", Archive(bytes(32))).close()
    found = open_key_file(folder / "home" / FILE_NAME, PASSPHRASES.desk)
    return Made(folder, made, found.wrapping)


@dataclass
class Made:
    """A folder to be copied, and what opens its desk without asking."""

    folder: Path
    enrolled: Enrolled
    wrapping: Wrapping

    def opened(self, world: World, folder: Path) -> Desk:
        home = folder / "home"
        if not home.exists():
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        path = home / FILE_NAME
        ring = parse_ring(reopen_key_file(path, self.wrapping))
        return world.opened(home, KeyRingFile(path, self.wrapping, ring))


def vouch(world: World, folder: Path, *, how_many: int = 2) -> None:
    first = statements_of(folder)[0]
    for statement in world.vouchers.vouches(first, iat=world.clock())[:how_many]:
        world.log.add(statement)


def codes(desk: Desk) -> set[str]:
    return {one.code for one in tick(desk).troubles if isinstance(one, DeskError)}


def test_without_two_vouches_nothing_is_published_and_the_digits_are_shown(
    world: World, once: Made, tmp_path: Path
) -> None:
    made, desk = once.enrolled, once.opened(world, tmp_path)
    for vouches in (0, 1):
        if vouches:
            vouch(world, tmp_path, how_many=1)
        before = len(world.log.leaves)
        assert codes(desk) == {"not_admitted"}
        assert len(world.log.leaves) == before
        standing = keys_standing(desk)
        assert (standing.admitted, standing.countries) == (None, vouches)
        said = shown_keys.status_text(standing)
        assert made.fingerprint in said
        assert "two coordinators of different countries" in said
        assert not standing.green


def test_a_desk_joins_by_itself_once_two_have_vouched(
    world: World, once: Made, tmp_path: Path
) -> None:
    desk = once.opened(world, tmp_path)
    tick(desk)
    vouch(world, tmp_path)
    assert not codes(desk) - {"hub_unreachable"}
    standing = keys_standing(desk)
    assert standing.green
    assert shown_keys.status_text(standing).startswith("GREEN")
    before = len(world.log.leaves)
    tick(desk)
    assert len(world.log.leaves) == before  # and says so once


def test_a_month_between_init_and_the_vouches_leaves_a_mailbox_that_is_open(
    world: World, once: Made, tmp_path: Path
) -> None:
    desk = once.opened(world, tmp_path)
    world.clock.pass_(60 * DAY)
    vouch(world, tmp_path)
    tick(desk)
    tick(desk)
    assert world.log.register.can_receive(desk.org, world.clock())
    assert keys_standing(desk).green


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_joining_that_is_cut_off_anywhere_ends_well_the_second_time(
    world: World, once: Made, tmp_path: Path, after: int
) -> None:
    once.opened(world, tmp_path)
    vouch(world, tmp_path)
    for statement in statements_of(tmp_path)[:after]:
        world.log.add(statement)
    world.directory.lose_answers = True
    desk = once.opened(world, tmp_path)
    tick(desk)
    world.directory.lose_answers = False
    desk = once.opened(world, tmp_path)
    tick(desk)
    tick(desk)
    known = world.log.register.organisation(desk.org)
    assert known is not None
    assert known.seq == 3
    assert keys_standing(desk).green


def test_vouches_that_are_too_old_are_not_enough(world: World, once: Made, tmp_path: Path) -> None:
    once.opened(world, tmp_path)
    vouch(world, tmp_path)
    world.clock.pass_(31 * DAY)
    desk = once.opened(world, tmp_path)
    assert "not_admitted" in codes(desk)
    assert world.log.register.organisation(desk.org) is None


def test_a_lost_admission_file_is_a_sentence(world: World, once: Made, tmp_path: Path) -> None:
    desk = once.opened(world, tmp_path)
    for damaged in (b"{}", b"\xff", b'{"statements":[]}',
                    b'{"statements":[{"b":"e30=","sigs":[]}]}'):  # fmt: skip
        (desk.home / ADMISSION).write_bytes(damaged)
        assert codes(desk) == {"admission_missing"}


# A further computer


def test_a_request_is_certified_by_the_stick_and_an_admin_desk_at_once(
    world: World, ours: Desk, tmp_path: Path
) -> None:
    request, desk = requested(world, ours, tmp_path)
    ours.log.sync()
    world.log.add(certified(request.statement, world.sticks[ours.org], admin=ours.ring.signing))
    tick(desk)
    assert keys_standing(desk).green  # and it has published its own weeks


def test_a_request_certified_by_the_stick_alone_waits_a_day(
    world: World, ours: Desk, tmp_path: Path
) -> None:
    request, desk = requested(world, ours, tmp_path)
    world.log.add(certified(request.statement, world.sticks[ours.org], admin=None))
    tick(desk)
    standing = keys_standing(desk)
    assert not standing.green
    assert "counts from" in shown_keys.status_text(standing)
    world.clock.pass_(DAY)
    tick(desk)
    assert keys_standing(desk).green


def test_a_device_that_has_not_agreed_cannot_be_certified(
    world: World, ours: Desk, tmp_path: Path
) -> None:
    """The stick alone makes no device of somebody's key: the key itself has to sign."""
    request, _desk = requested(world, ours, tmp_path)
    bare = replace(request.statement, signatures=())
    signed = certified(bare, world.sticks[ours.org], admin=ours.ring.signing)
    with pytest.raises(Refused) as caught:
        world.log.add(signed)
    assert caught.value.code == "wrong_signers"


def test_a_request_that_the_chain_has_overtaken_says_so(
    world: World, ours: Desk, tmp_path: Path
) -> None:
    request, _desk = requested(world, ours, tmp_path)
    world.second_desk(ours)
    with pytest.raises(DeskError) as caught:
        check_place(request, world.log.register, path=tmp_path / "request.json")
    assert caught.value.code == "request_outdated"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff" * 99, b'{"b":"","sigs":[]}'])
def test_a_file_that_is_no_request_is_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(data)
    with pytest.raises(DeskError) as caught:
        read_request(path)
    assert caught.value.code == "not_a_request"


def requested(world: World, ours: Desk, folder: Path) -> tuple[Request, Desk]:
    desk = world.desk_for(ours.org)
    path = folder / "request.json"
    made = request_device(desk.ring, world.log.register, role=Role.CASEWORKER, now=world.clock())
    path.write_bytes(made.render())
    return read_request(path), desk
