"""The archive: what a thief of a locked desk, or somebody who edits its database, can do."""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.archive import Archive, new_archive_key
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.sending import send_referral
from contracts.envelope import parse_envelope
from tests.unit.desk.simulated import CANARY, SERVICE, World, entries, only_case

ARCHIVE = Archive(new_archive_key())


@given(st.binary())
def test_what_is_sealed_is_opened_again_in_its_place(content: bytes) -> None:
    assert ARCHIVE.open("t.c", "row", ARCHIVE.seal("t.c", "row", content)) == content


@given(content=st.binary(), place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(content: bytes, place: int, bit: int) -> None:
    sealed = bytearray(ARCHIVE.seal("t.c", "row", content))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(DeskError):
        ARCHIVE.open("t.c", "row", bytes(sealed))


@pytest.mark.parametrize("where", [("t.d", "row"), ("t.c", "other"), ("t", "c.row")])
def test_a_record_moved_under_another_row_is_noticed(where: tuple[str, str]) -> None:
    with pytest.raises(DeskError):
        ARCHIVE.open(*where, ARCHIVE.seal("t.c", "row", b"content"))


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_two_things_share_an_index_only_if_they_are_the_same(a: list[str], b: list[str]) -> None:
    assert (ARCHIVE.index("x", *a) == ARCHIVE.index("x", *b)) == (a == b)


def test_an_index_tells_nothing_without_the_key() -> None:
    assert Archive(new_archive_key()).index("mid", "a") != ARCHIVE.index("mid", "a")


def test_a_locked_desks_files_hold_nothing_of_a_case(world: World) -> None:
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    envelopes = [parse_envelope(body) for body in world.hub.taken]
    for desk, peer in ((ours, theirs), (theirs, ours)):
        case = only_case(desk)
        told = [CANARY, peer.org, case.ref, case.spoken, SERVICE, case.urgency, case.needs[0]]
        told += [entry.id for entry in entries(desk)] + ["referral.requested", "acknowledged"]
        told += [envelope.header.mid for envelope in envelopes]
        told += [envelope.eid for envelope in envelopes]
        held = everything_of(desk.home)
        assert not [one for one in told if found(one, held)]
        desk.store.close()
        assert not [one for one in told if found(one, everything_of(desk.home))]


def test_the_search_for_canaries_finds_what_is_there(world: World) -> None:
    ours = world.organisation("my")
    tick(ours)
    connection = sqlite3.connect(ours.home / "desk.db")
    connection.execute("create table leak (it text, raw blob)")
    connection.execute("insert into leak values (?, ?)", (CANARY, base64.b64encode(b"peer-1")))
    connection.commit()
    connection.close()
    assert found(CANARY, everything_of(ours.home))
    assert found("peer-1", everything_of(ours.home))


def everything_of(home: Path) -> bytes:
    """Every file of a desk but its copy of the public log, as it lies on the disk."""
    return b"\n".join(
        path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith("mirror")
    )


def found(text: str, held: bytes) -> bool:
    raw = text.encode()
    spellings = [raw, raw.hex().encode(), text.encode("utf-16-le"), base64.b64encode(raw)[:-4]]
    if all(letter in "0123456789abcdef" for letter in text):
        spellings.append(bytes.fromhex(text))
    return any(spelling and spelling in held for spelling in spellings)
