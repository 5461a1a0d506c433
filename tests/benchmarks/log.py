"""What the first synchronisation of a log costs, against the bare signature checks in it.

`python -m tests.benchmarks.log` synchronises logs of 10,000 statements into an empty database and
exits 1 where that costs more than twice what libsodium takes to check the same signatures in the
same run. A young log is organisations with two devices each, as they were admitted; in an old one
every device has published its weeks' keys four times, and such a statement is five times as long
as any other, so that reading weighs more beside checking. `python -m tests.benchmarks.log 100000`
synchronises an old log of so many, once, and prints seconds and peak memory.

The directory is in memory and the signatures of witnesses count too; the network does not.
"""

from __future__ import annotations

import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

import httpx
from nacl import bindings

from broker.mirror import Mirror
from contracts.contents import EncryptionKey, Role
from contracts.drafting import (
    confirm_statement,
    device_statement,
    keys_statement,
    listing_statement,
    org_statement,
)
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf, encode_leaf, join_leaves
from contracts.signing import Label, SigningKey, signed_bytes
from contracts.statements import Heading, Statement, first_heading
from contracts.times import DAY, WEEK, monday
from tests.benchmarks.measuring import Cost, exit_code
from tests.unit.contracts.authors import NET, NOW, READS
from tests.unit.mirror.directories import (
    URL,
    WATCHERS,
    Clock,
    Directory,
    engine_in,
    octets,
    root_file,
    text,
)
from tests.vouching import COORDINATORS, Vouchers

STATEMENTS: Final = 10_000
ROUNDS: Final = 5
LIMIT: Final = 2.0
K: Final = 5
RENEWALS: Final = 3  # of the weeks' keys by each device of an old log


@dataclass(frozen=True)
class Log:
    """Leaf data, and each signature in it with its key, as libsodium takes them."""

    leaves: list[bytes]
    signed: list[tuple[bytes, bytes]]


def main() -> int:
    """Measure and print; 0 if the ratio is within the limit."""
    costs = [
        _first_sync(f"first sync of {STATEMENTS}, {age}", made(STATEMENTS, renewals))
        for age, renewals in (("young", 0), ("old", RENEWALS))
    ]
    for cost in costs:
        sys.stdout.write(f"{cost.line(30)}  (limit {cost.limit})\n")
    return exit_code(costs)


def made(statements: int, renewals: int = RENEWALS) -> Log:
    """A log of so many statements: organisations one after another, each with what it has."""
    keys = {one.key.key_id: one.key.public for one in COORDINATORS}
    log = Log([], [])
    for statement in islice(_statements(keys, renewals), statements):
        log.leaves.append(encode_leaf(Leaf(statement, NOW)))
        message = signed_bytes(Label.STATEMENT, statement.body)
        log.signed.extend((one.value + message, keys[one.key_id]) for one in statement.signatures)
    return log


def large(statements: int) -> None:
    """Synchronise once and print seconds and memory."""
    log = made(statements)
    before = _peak()
    begun, busy = time.monotonic(), time.thread_time()
    _synchronise(log)
    took, used = time.monotonic() - begun, time.thread_time() - busy
    size = sum(map(len, log.leaves)) / 1e6
    sys.stdout.write(
        f"{statements} statements, {size:.1f} MB: first synchronisation {took:.1f} s"
        f" ({used:.1f} s of this thread), peak memory {_peak():.0f} MB, of which {before:.0f} MB"
        " is the test's own log\n"
    )


def _first_sync(name: str, log: Log) -> Cost:
    pairs = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        _synchronise(log)
        between = time.thread_time()
        for signed, public in log.signed:
            bindings.crypto_sign_open(signed, public)
        pairs.append((between - begun, time.thread_time() - between))
    ours, floor = (min(figures) * 1000 for figures in zip(*pairs, strict=True))
    return Cost(name, ours, floor, LIMIT)


def _synchronise(log: Log) -> None:
    directory = Directory(Clock(), witnesses=WATCHERS)
    directory.leaves = log.leaves
    note = directory.note()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/log/checkpoint":
            return text(note)
        start, end = (int(request.url.params[name]) for name in ("from", "to"))
        return octets(join_leaves(log.leaves[start:end]))

    with tempfile.TemporaryDirectory() as folder:
        engine = engine_in(Path(folder))
        mirror = Mirror(
            engine=engine,
            root=root_file(witnesses=WATCHERS, k=K),
            directory_url=URL,
            clock=Clock(),
            transport=httpx.MockTransport(answer),
        )
        report = mirror.sync()
        engine.dispose()
    if report.refused or report.size != len(log.leaves):
        raise RuntimeError("the benchmark's own log breaks a rule")


def _statements(keys: dict[KeyId, bytes], renewals: int) -> Iterator[Statement]:
    """Statements without end; the public half of each key that signs is put into `keys`."""
    vouchers = Vouchers(NET)
    for number in count():
        yield from _organisation(vouchers, number, keys, renewals)


def _organisation(
    vouchers: Vouchers, number: int, keys: dict[KeyId, bytes], renewals: int
) -> Iterator[Statement]:
    """Two words for it, itself, two devices, their weeks' keys and renewals, and a listing."""
    org = OrgId(f"my-{number:016x}")
    root, first, second = (SigningKey.generate() for _ in range(3))
    keys |= {key.key_id: key.public for key in (root, first, second)}
    chain = _Chain(first_heading(net=NET, by=org, iat=NOW))
    begun = chain.next(org_statement(chain.heading, root=root, kind="ngo"))
    yield from vouchers.vouches(begun, iat=NOW)
    yield begun
    ends = NOW + 300 * DAY
    for device, role, admin in ((first, Role.ADMIN, None), (second, Role.CASEWORKER, first)):
        yield chain.next(
            device_statement(
                chain.heading, root=root, device=device, role=role, nbf=NOW, naf=ends, admin=admin
            )
        )
    for device in (first, second) * (1 + renewals):
        weeks = _weeks()
        yield chain.next(keys_statement(chain.heading, device=device, keys=weeks, reads=READS))
    entry = secrets.token_hex(32)
    yield chain.next(listing_statement(chain.heading, first, entry=entry))
    yield chain.next(confirm_statement(chain.heading, first, entry=entry))


class _Chain:
    def __init__(self, heading: Heading) -> None:
        self.heading = heading

    def next(self, statement: Statement) -> Statement:
        self.heading = self.heading.following(statement, iat=NOW)
        return statement


def _weeks() -> Sequence[EncryptionKey]:
    """Thirteen weeks' keys; random bytes, because nobody opens anything here."""
    starts = [monday(NOW) + number * WEEK for number in range(13)]
    return [EncryptionKey(KeyId(""), _public(), at, at + WEEK) for at in starts]


def _public() -> bytes:
    random = secrets.token_bytes(32)
    return random[:-1] + bytes([random[-1] & 0x3F])


def _peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        large(int(sys.argv[1]))
        sys.exit(0)
    sys.exit(main())
