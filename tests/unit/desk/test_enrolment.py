"""Making a desk: what the network accepts, where secrets go, what a second `init` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.desk.enrolment import Enrolled, Newcomer, Passphrases, enrol
from broker.desk.errors import DeskError
from broker.desk.keyfile import open_key_file
from broker.desk.keyring import FILE_NAME, KeyRingFile
from contracts.fingerprint import fingerprint
from contracts.log import Leaf
from contracts.register import Register
from contracts.statements import Role, parse_statement
from tests.unit.desk.simulated import FAST, NET, START, World

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


def test_the_admission_file_is_what_the_register_accepts(world: World, tmp_path: Path) -> None:
    made = make(world, tmp_path)
    register = Register(NET)
    for one in json.loads((tmp_path / "admission.json").read_bytes())["statements"]:
        # A directory whose clock is an hour behind takes it too.
        register.apply(Leaf(parse_statement(json.dumps(one).encode()), START - 3600))
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
