"""The network's root file changes: through its own log, forward only, and for everyone alike."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, update

from broker.mirror import DirectoryUnreachable, HardStop, Mirror
from broker.mirror.tables import STATE
from contracts.drafting import root_statement
from contracts.root import RULES, make_root, read_root
from contracts.signing import SigningKey
from contracts.statements import Statement, parse_statement
from tests.unit.contracts.authors import BANGLADESH, NET, NOW, Author, signing_key
from tests.unit.mirror.directories import (
    WATCHERS,
    Clock,
    Directory,
    Watcher,
    mirror_of,
    root_file,
)
from tests.vouching import COORDINATORS, LOG_KEY, listed

FIRST = root_file()
MOST = [one.key for one in COORDINATORS[:3]]
NEW_LOG_KEY = signing_key("the log's next key")


def _file(
    version: int = 2,
    *,
    witnesses: Sequence[Watcher] = (),
    k: int = 0,
    log: SigningKey = LOG_KEY,
    rules: int = RULES,
) -> bytes:
    """The body of a later root file."""
    public = [watcher.public for watcher in witnesses]
    made = make_root(
        net=NET,
        log=log.public,
        hubs=[],
        coordinators=listed(),
        witnesses=public,
        k=k,
        version=version,
    )
    body = parse_statement(made).body
    return body.replace(b'"rules":%d' % RULES, b'"rules":%d' % rules)


def _agreed(directory: Directory, file: bytes, *, by: Sequence[SigningKey] = MOST) -> Statement:
    return directory.vouchers.sign(
        COORDINATORS[0],
        iat=NOW,
        make=lambda heading, _key: root_statement(heading, *by, file=file),
    )


@pytest.fixture
def mirror(directory: Directory, engine: Engine, clock: Clock) -> Mirror:
    directory.add(*Author().admission())
    mirror = mirror_of(directory, engine, clock)
    mirror.sync()
    return mirror


def test_a_client_with_the_first_root_file_goes_on_with_the_one_in_its_log(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    assert mirror.root == FIRST
    directory.add(_agreed(directory, _file()))
    mirror.sync()
    assert mirror.root.version == 2
    assert mirror_of(directory, engine, clock).root == mirror.root


def test_too_few_coordinators_change_nothing(mirror: Mirror, directory: Directory) -> None:
    directory.add(_agreed(directory, _file(), by=MOST[:2]))
    assert [leaf.code for leaf in mirror.sync().refused] == ["wrong_signers"]
    assert mirror.root == FIRST


def test_witnesses_count_from_the_root_file_that_asks_for_them(
    mirror: Mirror, directory: Directory
) -> None:
    directory.add(_agreed(directory, _file(witnesses=WATCHERS, k=5)))
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.sync()
    assert caught.value.code == "unwitnessed"
    assert (mirror.size, mirror.root) == (5, FIRST)
    directory.witnesses = WATCHERS[:5]
    mirror.sync()
    assert (mirror.size, mirror.root.k, mirror.time) == (6, 5, NOW)
    directory.witnesses = ()
    with pytest.raises(DirectoryUnreachable):
        mirror.sync()


def test_a_checkpoint_is_signed_by_the_log_key_of_the_root_file_at_its_end(
    mirror: Mirror, directory: Directory
) -> None:
    directory.add(_agreed(directory, _file(log=NEW_LOG_KEY)))
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.sync()
    assert caught.value.code == "bad_checkpoint"
    directory.shown = directory.note(log=NEW_LOG_KEY)
    assert mirror.sync().size == 6


def test_a_client_never_goes_back_to_an_older_root_file(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    """This computer has seen version 2; the log that is shown now knows only the first."""
    directory.add(*Author().admission())
    made = make_root(net=NET, log=LOG_KEY.public, hubs=[], coordinators=listed(), version=2)
    later = read_root(parse_statement(made).body)
    mirror_of(directory, engine, clock, root=later)
    older = mirror_of(directory, engine, clock)
    with pytest.raises(HardStop) as caught:
        older.sync()
    assert caught.value.code == "root_lowered"
    assert older.size == 0
    older.resolve()
    directory.add(_agreed(directory, _file()))
    assert older.sync().size == 6
    assert older.root.version == 2


def test_rules_that_this_program_does_not_know_stop_it_until_there_is_a_newer_one(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    directory.add(_agreed(directory, _file(rules=RULES + 1)))
    with pytest.raises(HardStop, match="Install a newer version") as caught:
        mirror.sync()
    assert caught.value.code == "unknown_rules"
    assert mirror_of(directory, engine, clock).stopped is not None
    assert mirror.size == 5
    with engine.begin() as connection:  # as if the program that stopped had been another
        connection.execute(update(STATE).values(rules=RULES - 1))
    newer = mirror_of(directory, engine, clock)
    assert newer.stopped is None
    assert newer.register.organisation(BANGLADESH) is None


def test_unknown_rules_that_the_log_has_not_signed_stop_nobody(
    mirror: Mirror, directory: Directory
) -> None:
    directory.add(_agreed(directory, _file(rules=RULES + 1)))
    directory.shown = directory.note(log=NEW_LOG_KEY)
    with pytest.raises(DirectoryUnreachable):
        mirror.sync()
    assert mirror.stopped is None
    assert json.loads(_file(rules=RULES + 1))["rules"] == RULES + 1
