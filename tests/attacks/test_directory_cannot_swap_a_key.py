"""The directory lies about keys. A desk must never seal to a key its recipient did not publish.

The directory holds every statement and decides what each client is shown; it holds no key of any
organisation. Whatever it shows, a client gets the honest keys, no keys, or a hard stop.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from broker.mirror import HardStop, Mirror
from broker.mirror.fold import View, grow
from contracts.contents import Role
from contracts.drafting import device_statement, keys_statement
from contracts.encoding import b64encode
from contracts.errors import Refused
from contracts.log import encode_leaf
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.statements import Statement, signed_statement
from contracts.times import DAY
from tests.unit.contracts.authors import (
    BANGLADESH,
    MALAYSIA,
    NOW,
    READS,
    Author,
    leaves,
    signing_key,
    weeks,
)
from tests.unit.mirror.directories import Clock, Directory, engine_in, mirror_of, root_file

SENDER, VICTIM = Author(), Author(org=BANGLADESH)
TRUTH = Directory(Clock())
TRUTH.add(*SENDER.admission(), *VICTIM.admission())
HONEST = TRUTH.leaves
HONEST_KEYS = frozenset(key.public for key in weeks(f"first {BANGLADESH}") if key.nbf <= NOW)
EVIL = signing_key("the directory's own")
EVIL_WEEKS = weeks("the directory's own")
NEVER_ASKED = frozenset[bytes]()

Lie = Callable[[Directory], None]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(clock: Clock) -> Directory:
    return TRUTH.copy(clock)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = engine_in(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def client(directory: Directory, engine: Engine, clock: Clock) -> Mirror:
    """A desk in Malaysia that has seen the honest log once."""
    client = mirror_of(directory, engine, clock)
    client.sync()
    assert _sealed_to(client.register) == HONEST_KEYS
    return client


def _sealed_to(register: Register, now: int = NOW) -> frozenset[bytes]:
    """The keys that a desk in Malaysia seals to; none where it refuses to seal."""
    here = SENDER.device_key().key_id
    try:
        keys = register.recipients(to=BANGLADESH, sender=MALAYSIA, sender_device=here, now=now)
    except Refused:
        return NEVER_ASKED
    return frozenset(key.public for key in keys)


def _shown(client: Mirror) -> frozenset[bytes]:
    """What the desk seals to after it was shown the lie."""
    try:
        client.sync()
        return _sealed_to(client.register)
    except HardStop:
        return NEVER_ASKED


def _body(statement: Statement, **changed: Any) -> dict[str, Any]:
    return {**json.loads(statement.body), **changed}


def _keys_in_the_victims_name(*signers: SigningKey) -> Statement:
    """The victim's next keys statement, with keys that the directory can open."""
    made = keys_statement(VICTIM.heading, device=EVIL, keys=EVIL_WEEKS, reads=READS)
    return signed_statement(_body(made), *signers)


def _device_in_the_victims_name(*signers: SigningKey) -> Statement:
    made = device_statement(
        VICTIM.heading, root=EVIL, device=EVIL_DEVICE, role=Role.ADMIN, nbf=NOW, naf=NOW + DAY
    )
    return signed_statement(_body(made), *signers)


EVIL_DEVICE = signing_key("a device of the directory")


def _keys_signed_by_itself(directory: Directory) -> None:
    directory.add(_keys_in_the_victims_name(EVIL))


def _keys_signed_by_nobody(directory: Directory) -> None:
    directory.add(_keys_in_the_victims_name())


def _keys_under_the_victims_signature_of_other_keys(directory: Directory) -> None:
    signatures = VICTIM_PUBLISHED.signatures
    directory.add(Statement(_keys_in_the_victims_name(EVIL).body, signatures))


def _keys_signed_by_another_organisation(directory: Directory) -> None:
    directory.add(_keys_in_the_victims_name(SENDER.device_key(), SENDER.root))


def _a_device_without_the_root(directory: Directory) -> None:
    directory.add(_device_in_the_victims_name(EVIL, EVIL_DEVICE))
    directory.add(_keys_in_the_victims_name(EVIL_DEVICE))


def _a_device_certified_by_another_root(directory: Directory) -> None:
    directory.add(_device_in_the_victims_name(SENDER.root, EVIL_DEVICE))
    directory.add(_keys_in_the_victims_name(EVIL_DEVICE))


def _a_second_beginning(directory: Directory) -> None:
    directory.add(*Author(org=BANGLADESH, name="impostor").admission())


def _another_past(directory: Directory) -> None:
    """Coordinators help: they have vouched for an impostor in the victim's place."""
    impostor = Author(org=BANGLADESH, name="impostor")
    directory.begin_anew()
    directory.add(*Author().admission())
    directory.add(*impostor.admission()[:2], impostor.publish(keys=EVIL_WEEKS))


def _the_last_statement_exchanged(directory: Directory) -> None:
    directory.leaves.pop()
    directory.add(_keys_in_the_victims_name(EVIL))


def _keys_of_a_training_network(directory: Directory) -> None:
    training = Author(org=BANGLADESH, net="exercise.example")
    directory.add(*training.admission()[:2], training.publish(keys=EVIL_WEEKS))


def _the_newest_keys_withheld(directory: Directory) -> None:
    directory.leaves.pop()


VICTIM_PUBLISHED = Author(org=BANGLADESH).admission()[2]
LIES: list[Lie] = [
    _keys_signed_by_itself,
    _keys_signed_by_nobody,
    _keys_under_the_victims_signature_of_other_keys,
    _keys_signed_by_another_organisation,
    _a_device_without_the_root,
    _a_device_certified_by_another_root,
    _a_second_beginning,
    _another_past,
    _the_last_statement_exchanged,
    _keys_of_a_training_network,
    _the_newest_keys_withheld,
]
EFFECTLESS = [*LIES[:6], _keys_of_a_training_network]


@pytest.mark.parametrize("lie", LIES)
def test_a_desk_that_has_seen_the_truth_never_seals_to_another_key(
    client: Mirror, directory: Directory, lie: Lie
) -> None:
    lie(directory)
    assert _shown(client) in (HONEST_KEYS, NEVER_ASKED)
    assert directory.leaves != HONEST


@pytest.mark.parametrize("lie", EFFECTLESS)
def test_a_forged_statement_is_reported_and_the_honest_keys_stay_in_use(
    client: Mirror, directory: Directory, lie: Lie
) -> None:
    lie(directory)
    report = client.sync()
    assert len(report.refused) == len(directory.leaves) - len(HONEST)
    assert _sealed_to(client.register) == HONEST_KEYS


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie is not _another_past])
def test_a_desk_that_sees_the_log_for_the_first_time_takes_no_forged_key(
    directory: Directory, engine: Engine, clock: Clock, lie: Lie
) -> None:
    lie(directory)
    assert _shown(mirror_of(directory, engine, clock)) in (HONEST_KEYS, NEVER_ASKED)


def test_two_desks_shown_two_pasts_see_two_fingerprints_and_the_older_one_stops(
    client: Mirror, directory: Directory, tmp_path: Path, clock: Clock
) -> None:
    """Without witnesses a desk that is new can be lied to from its first day: this is what the
    phone call about the fingerprint is for, and why such a network is a demonstration.
    """
    _another_past(directory)
    (tmp_path / "new").mkdir()
    engine = engine_in(tmp_path / "new")
    newcomer = mirror_of(directory, engine, clock)
    newcomer.sync()
    shown, seen = (desk.register.organisation(BANGLADESH) for desk in (newcomer, client))
    assert shown is not None
    assert seen is not None
    assert shown.root != seen.root
    with pytest.raises(HardStop, match="two different pasts"):
        client.sync()
    engine.dispose()


def test_the_swap_stays_refused_after_a_person_has_looked_into_it(
    client: Mirror, directory: Directory
) -> None:
    _a_second_beginning(directory)
    with pytest.raises(HardStop, match="its root key changed") as caught:
        client.sync()
    assert caught.value.org == BANGLADESH
    client.resolve()
    client.sync()
    assert _sealed_to(client.register) == HONEST_KEYS


def test_a_day_later_a_forged_device_still_does_not_count(
    client: Mirror, directory: Directory
) -> None:
    _a_device_without_the_root(directory)
    client.sync()
    assert _sealed_to(client.register, NOW + DAY + 1) == HONEST_KEYS


def _keys_read_from(data: list[bytes]) -> frozenset[bytes]:
    growth = grow(View(Register(root_file())), data)
    return NEVER_ASKED if growth.stop or growth.alarm else _sealed_to(growth.view.register)


@settings(deadline=None)
@given(st.data())
def test_no_changed_bit_of_the_log_makes_another_key(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(HONEST) - 1))
    leaf = bytearray(HONEST[number])
    leaf[data.draw(st.integers(0, len(leaf) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    shown = [*HONEST[:number], bytes(leaf), *HONEST[number + 1 :]]
    assert _keys_read_from(shown) in (HONEST_KEYS, NEVER_ASKED)


@settings(deadline=None)
@given(st.permutations(HONEST), st.integers(0, len(HONEST)))
def test_no_order_and_no_omission_makes_another_key(order: list[bytes], shown: int) -> None:
    assert _keys_read_from(order[:shown]) in (HONEST_KEYS, NEVER_ASKED)


def test_every_signature_exchanged_for_every_other_makes_no_other_key() -> None:
    statements = [*SENDER_AGAIN.admission(), *VICTIM_AGAIN.admission()]
    signatures = [statement.signatures for statement in statements]
    forged = _body(VICTIM_PUBLISHED)
    forged["keys"] = [
        {"pk": b64encode(key.public), "nbf": key.nbf, "naf": key.naf} for key in EVIL_WEEKS
    ]
    body = json.dumps(forged).encode()
    for taken in itertools.chain(signatures, [()]):
        leaf = leaves(Statement(body, taken))[0]
        assert _keys_read_from([*HONEST[:-1], encode_leaf(leaf)]) == NEVER_ASKED
        assert _keys_read_from([*HONEST, encode_leaf(leaf)]) == HONEST_KEYS


SENDER_AGAIN, VICTIM_AGAIN = Author(), Author(org=BANGLADESH)
