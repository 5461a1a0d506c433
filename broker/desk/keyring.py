"""The desk's keys: who it is in the network, and what opens its mail this week.

One key file (`broker.desk.keyfile`) holds the device's signing seed, one X25519 secret per week
and the archive key. A week's secret is deleted 21 days after the week: what was captured on the
way before cannot be opened by whoever takes the computer later. Decisions here are pure; only
`KeyRingFile` touches the disk, under a lock, because several processes share one desk.

    keys = KeyRingFile.unlock(home, passphrase)
    ring = keys.change(lambda ring: topped_up(ring, now=now))
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from broker.desk.archive import KEY_SIZE as ARCHIVE_KEY_SIZE
from broker.desk.archive import new_archive_key
from broker.desk.errors import DeskError
from broker.desk.keyfile import (
    Cost,
    Wrapping,
    new_wrapping,
    open_key_file,
    reopen_key_file,
    write_key_file,
)
from contracts.contents import WEEKS_AHEAD, EncryptionKey, week_key
from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    b64encode,
    bytes_of,
    dump_json,
    list_of,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import ContractError, Malformed
from contracts.identifiers import KeyId, OrgId, parse_org_id
from contracts.sealing import SECRET_SIZE, EncryptionKeyPair
from contracts.signing import SEED_SIZE, SigningKey
from contracts.times import DAY, WEEK, monday

# Apart from the cases: a backup may hold those, and never what opens them.
FOLDER: Final = "keys"
FILE_NAME: Final = f"{FOLDER}/desk.key"
# The Cache Directory Tagging Specification (bford.info/cachedir): backup programs that know it
# leave the folder out. Deleted weeks' keys would otherwise live on in every old backup.
BACKUP_TAG: Final = "CACHEDIR.TAG"
_TAG: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# The secret keys of a Rujukan desk: to be left out of every backup.\n"
)
# What arrives late is readable for three weeks: an envelope lives 14 days, and people take leave.
KEPT_AFTER_WEEK: Final = 21 * DAY
# Publish anew when fewer weeks than this are left, so that a month's holiday closes no mailbox.
LEAST_WEEKS_AHEAD: Final = 10
LOCK_PATIENCE: Final = 30.0  # seconds
_MAX_RING: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class WeekSecret:
    """The X25519 secret of the week that begins at `begins` (Monday 00:00 UTC, Unix seconds)."""

    begins: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All secrets of one desk; prints only whose it is."""

    net: str
    org: OrgId
    signing: SigningKey
    archive_key: bytes = field(repr=False)
    weeks: tuple[WeekSecret, ...] = field(repr=False)

    @property
    def device(self) -> KeyId:
        """The id of the signing key: how the network names this desk."""
        return self.signing.key_id


def keys_folder(home: Path) -> Path:
    """The folder of the desk's keys, its owner's alone and marked so that backups leave it out."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    tag = folder / BACKUP_TAG
    if not tag.exists():
        tag.write_bytes(_TAG)
    return folder


def key_file(home: Path) -> Path:
    """Where the desk's key file is; a desk made before it had its own folder moves it there."""
    path, before = home / FILE_NAME, home / Path(FILE_NAME).name
    if before.is_file() and not path.exists():
        before.replace(keys_folder(home) / path.name)
    return path


def new_ring(*, net: str, org: OrgId, now: int) -> KeyRing:
    """Keys of a new desk, with the first quarter's weeks."""
    ring = KeyRing(net, org, SigningKey.generate(), new_archive_key(), ())
    return topped_up(ring, now=now)


def topped_up(ring: KeyRing, *, now: int) -> KeyRing:
    """The ring with a secret for this week and the next twelve; those there stay as they are."""
    there = {week.begins for week in ring.weeks}
    wanted = (monday(now) + WEEK * ahead for ahead in range(WEEKS_AHEAD))
    added = tuple(
        WeekSecret(begins, EncryptionKeyPair.generate().secret)
        for begins in wanted
        if begins not in there
    )
    return _with_weeks(ring, ring.weeks + added) if added else ring


def forgotten(ring: KeyRing, *, now: int) -> KeyRing:
    """The ring without the secrets whose week ended 21 days ago or earlier.

    `now` is never the local clock alone (`unlocking.surely_past`): a clock that runs ahead must
    destroy nothing.
    """
    kept = tuple(week for week in ring.weeks if week.begins + WEEK + KEPT_AFTER_WEEK > now)
    return _with_weeks(ring, kept) if len(kept) < len(ring.weeks) else ring


def secrets(ring: KeyRing) -> Mapping[KeyId, EncryptionKeyPair]:
    """Every key pair that may still open something, by key id."""
    pairs = (EncryptionKeyPair.from_secret(week.secret) for week in ring.weeks)
    return {pair.key_id: pair for pair in pairs}


def published_weeks(ring: KeyRing, *, now: int) -> tuple[EncryptionKey, ...]:
    """The public halves for a `keys` statement: this week and what follows without a gap."""
    by_week = {week.begins: week for week in ring.weeks}
    found: list[EncryptionKey] = []
    begins = monday(now)
    while begins in by_week and len(found) < WEEKS_AHEAD:
        pair = EncryptionKeyPair.from_secret(by_week[begins].secret)
        found.append(week_key(pair.public, at=begins))
        begins += WEEK
    return tuple(found)


class KeyRingFile:
    """The key file of one unlocked desk, shared with the other processes of the same desk."""

    def __init__(self, path: Path, wrapping: Wrapping, ring: KeyRing) -> None:
        self._path = path
        self._open: tuple[Wrapping, KeyRing] | None = wrapping, ring
        self._seen = _stamp(path)

    @classmethod
    def create(cls, home: Path, passphrase: bytes, ring: KeyRing, *, cost: Cost) -> Self:
        """A new file; one that is there already is never replaced."""
        path = keys_folder(home) / Path(FILE_NAME).name
        wrapping = new_wrapping(passphrase, cost)
        write_key_file(path, render_ring(ring), wrapping, new=True)
        return cls(path, wrapping, ring)

    @classmethod
    def unlock(cls, home: Path, passphrase: bytes) -> Self:
        """Open the desk's keys. Raises `DeskError`; takes about half a second."""
        path = key_file(home)
        if not path.exists():
            raise DeskError("no_desk", home=str(home))
        opened = open_key_file(path, passphrase)
        return cls(path, opened.wrapping, _parsed(path, opened.content))

    @property
    def ring(self) -> KeyRing:
        """The keys as they are now, read again if another process has changed them."""
        wrapping, ring = self._unlocked()
        stamp = _stamp(self._path)
        if stamp != self._seen:
            ring = _parsed(self._path, reopen_key_file(self._path, wrapping))
            self._open, self._seen = (wrapping, ring), stamp
        return ring

    def change(self, decide: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """Replace the ring by `decide(ring)`; on disk before this returns."""
        with self.alone():
            ring, (wrapping, _) = self.ring, self._unlocked()
            changed = decide(ring)
            if changed is not ring:
                write_key_file(self._path, render_ring(changed), wrapping)
                self._open, self._seen = (wrapping, changed), _stamp(self._path)
            return changed

    def change_passphrase(self, passphrase: bytes, *, cost: Cost) -> None:
        """Have the file open with another passphrase only.

        After a crash it opens with the old one or the new one. Other processes of this desk
        have to be started again; a copy of the old file still opens with the old passphrase.
        """
        made = new_wrapping(passphrase, cost)
        with self.alone():
            ring = self.ring
            write_key_file(self._path, render_ring(ring), made)
            self._open, self._seen = (made, ring), _stamp(self._path)

    def lock(self) -> None:
        """Drop the keys; only the passphrase brings them back, in another object."""
        self._open = None

    def twin(self) -> Self:
        """The same unlocked keys for another holder, who locks them separately."""
        wrapping, ring = self._unlocked()
        return type(self)(self._path, wrapping, ring)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off other processes of this desk that would change its keys."""
        handle = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _lock(handle)
            yield
        finally:
            os.close(handle)  # which also gives the lock back

    def _unlocked(self) -> tuple[Wrapping, KeyRing]:
        if self._open is None:
            raise RuntimeError("these keys are locked")  # a fault of ours, never of a person
        return self._open

    def __repr__(self) -> str:
        return f"KeyRingFile({self._path})"


def render_ring(ring: KeyRing) -> bytes:
    """The plaintext of the key file."""
    weeks: list[JsonInput] = [
        {"begins": week.begins, "secret": b64encode(week.secret)} for week in ring.weeks
    ]
    return dump_json(
        {
            "v": 1,
            "net": ring.net,
            "org": ring.org,
            "sign": b64encode(ring.signing.seed),
            "archive": b64encode(ring.archive_key),
            "weeks": weeks,
        }
    )


def parse_ring(content: bytes) -> KeyRing:
    """The ring of a key file's plaintext. Raises `Malformed`."""
    fields = parse_object(content, limit=_MAX_RING)
    members(fields, required={"v", "net", "org", "sign", "archive", "weeks"})
    if number_of(fields, "v") != 1:
        raise Malformed("unknown_version", "v")
    return KeyRing(
        net=text_of(fields, "net"),
        org=parse_org_id(text_of(fields, "org")),
        signing=SigningKey.from_seed(bytes_of(fields, "sign", size=SEED_SIZE)),
        archive_key=bytes_of(fields, "archive", size=ARCHIVE_KEY_SIZE),
        weeks=tuple(_week(item) for item in list_of(fields, "weeks")),
    )


def _week(item: JsonValue) -> WeekSecret:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "weeks")
    fields: JsonObject = item
    members(fields, required={"begins", "secret"})
    return WeekSecret(number_of(fields, "begins"), bytes_of(fields, "secret", size=SECRET_SIZE))


def _parsed(path: Path, content: bytes) -> KeyRing:
    try:
        return parse_ring(content)
    except ContractError:
        raise DeskError("key_file_unreadable", path=str(path)) from None


def _with_weeks(ring: KeyRing, weeks: tuple[WeekSecret, ...]) -> KeyRing:
    return replace(ring, weeks=tuple(sorted(weeks, key=lambda week: week.begins)))


def _stamp(path: Path) -> tuple[int, int, int]:
    # A rewritten key file is another inode, whatever the clock's resolution.
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _lock(handle: int) -> None:
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise DeskError("busy") from None
            time.sleep(0.05)
