"""How an organisation and its devices stand, at any time that is asked about. Values only.

Everything here is what the log's statements came to; nothing here decides whether a statement
counts (`contracts.rules`). Times are Unix seconds: `t` is the log's own, `now` and `at` are the
asker's. What is still to come ("counts after 72 hours") is part of the value, so that the same
organisation can be asked about today and about tomorrow.

    organisation.root_at(now), organisation.frozen(now), organisation.vouched_until
    device.in_force(now)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final, TypeAlias

from contracts.contents import EncryptionKey, Role
from contracts.identifiers import KeyId, OrgId
from contracts.times import DAY

# A change of root or recovery keys waits this long, so that whoever should not have made it can
# be outrun: by the recovery keys, or by a coordinator who phones.
CHANGE_DELAY: Final = 3 * DAY
# One coordinator alone stops an organisation this long; a second country makes it last.
FREEZE_LASTS: Final = 3 * DAY
VOUCHED_FOR: Final = 366 * DAY  # twelve months, the longest of them
ENROLMENT_WITHIN: Final = 30 * DAY  # what a coordinator has seen may have changed after that
VOUCHES_NEEDED: Final = 2

# From ≤ time < until; None: not known to end.
Span: TypeAlias = tuple[int, int | None]


@unique
class StopKind(StrEnum):
    """Why a device may not speak: taken over (or feared so), or given up in good order."""

    FROZEN = "frozen"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Stopped:
    """A device's end, for good. What it sent after `since` is doubtful; `by` stopped it at `t`."""

    kind: StopKind
    since: int
    by: OrgId
    t: int


@dataclass(frozen=True, slots=True)
class Device:
    """A computer that signs for an organisation, with the keys it has published last.

    `nbf` ≤ time < `naf` is its window, `counts_from` when the certificate takes effect and
    `ends_at` when a recovered organisation's old devices end. `paused` are the spans in which the
    whole organisation is frozen. `suites` and `reads` are empty until it has published keys.
    """

    org: OrgId
    key_id: KeyId
    public: bytes
    role: Role
    nbf: int
    naf: int
    counts_from: int
    keys: tuple[EncryptionKey, ...] = ()
    suites: tuple[int, ...] = ()
    reads: tuple[str, ...] = ()
    stopped: Stopped | None = None
    ends_at: int | None = None
    paused: tuple[Span, ...] = ()

    def in_window(self, at: int) -> bool:
        """Whether the certificate covers this time."""
        return self.nbf <= at < self.naf

    def in_force(self, at: int) -> bool:
        """Whether it covers this time, had taken effect, and may speak."""
        return self.counts_from <= at and self.in_window(at) and not self.silenced(at)

    def silenced(self, now: int) -> bool:
        """Whether nothing of it that was not stored before may be taken now, whatever its date.

        A frozen or revoked device stays so for good, also for times before: what it signs can be
        dated back.
        """
        over = self.ends_at is not None and self.ends_at <= now
        return self.stopped is not None or over or standing(self.paused, now)

    def key_for(self, at: int) -> EncryptionKey | None:
        """The published key for the week that `at` lies in, or none."""
        return next((key for key in self.keys if key.nbf <= at < key.naf), None)


@dataclass(frozen=True, slots=True)
class Vouch:
    """A coordinator's word for the organisation whose first statement has the hash `of`."""

    coordinator: OrgId
    country: str
    of: str
    t: int
    key: bytes = b""  # the coordinator's, at that time


@dataclass(frozen=True, slots=True)
class Freeze:
    """A freeze of the whole organisation; `country` is the coordinator's, "" for recovery keys."""

    by: OrgId
    country: str
    since: int
    t: int
    thawed: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """New root or recovery keys that do not count yet; `recover` is by the recovery keys.

    `counts_from` is None while a freeze that nobody has ended holds it up.
    """

    recover: bool
    root: bytes
    recovery: tuple[bytes, ...]
    t: int
    counts_from: int | None


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation and where its chain of statements stands (`seq`, hash `head`).

    `root` and `recovery` are those in force when the chain was last moved; ask `root_at` for a
    time. `first` is the hash of its first statement.
    """

    id: OrgId
    country: str
    kind: str
    root: bytes
    recovery: tuple[bytes, ...]
    seq: int
    head: str
    first: str = ""
    devices: tuple[Device, ...] = ()
    vouches: tuple[Vouch, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    pending: Pending | None = None
    # Whether the root in force has certified a device yet: its first one counts at once.
    has_had_device: bool = False

    def root_at(self, now: int) -> bytes:
        """The root key in force at this time."""
        changed = _counts(self.pending, now)
        return self.root if changed is None else changed.root

    def recovery_at(self, now: int) -> tuple[bytes, ...]:
        """The recovery keys in force at this time."""
        changed = _counts(self.pending, now)
        return self.recovery if changed is None else changed.recovery

    def frozen(self, now: int) -> bool:
        """Whether the whole organisation may not speak now."""
        return bool(self.freezes) and standing(frozen_spans(self.freezes), now)

    @property
    def suspected_since(self) -> int | None:
        """Since when what it sent is doubtful, by the freezes that nobody has ended; or None."""
        return min((one.since for one in self.freezes if one.thawed is None), default=None)

    @property
    def vouched_until(self) -> int:
        """Until when two coordinators of different countries have given their word."""
        newest: dict[str, int] = {}
        for vouch in self.vouches:
            if vouch.of == self.first:
                newest[vouch.country] = max(vouch.t, newest.get(vouch.country, 0))
        ordered = sorted(newest.values(), reverse=True)
        return ordered[VOUCHES_NEEDED - 1] + VOUCHED_FOR if len(ordered) >= VOUCHES_NEEDED else 0


@dataclass(frozen=True, slots=True)
class Listed:
    """What is listed of an organisation: the hash of the entry's bytes, who signed it, when.

    `confirmed_by` are those who have confirmed this very entry.
    """

    org: OrgId
    entry: str
    by: OrgId
    t: int
    confirmed_by: tuple[OrgId, ...] = ()
    confirmed_at: int | None = None

    @property
    def unconfirmed(self) -> bool:
        """Entered by one coordinator, and nobody else has looked: the page must say so."""
        return self.by != self.org and not set(self.confirmed_by) - {self.by}

    @property
    def checked_at(self) -> int:
        """When somebody last said that it is true."""
        return self.t if self.confirmed_at is None else max(self.t, self.confirmed_at)


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Who published an encryption key. Older weeks stay known: mail may still be on its way."""

    org: OrgId
    device: KeyId
    key: EncryptionKey


def frozen_spans(freezes: Iterable[Freeze]) -> tuple[Span, ...]:
    """The times at which these freezes stop the organisation, in order and without overlap."""
    known = tuple(freezes)
    by_recovery = [(one.t, one.thawed) for one in known if not one.country]
    return _merged([*by_recovery, *coordinators_spans(known)])


def coordinators_spans(freezes: Iterable[Freeze]) -> tuple[Span, ...]:
    """Those of them that coordinators made: 72 hours each, until a thaw where two countries did."""
    spans: list[Span] = []
    recent: list[Freeze] = []
    for one in sorted((one for one in freezes if one.country), key=lambda one: one.t):
        recent = [before for before in recent if one.t < _ends(before)]
        second = any(_seconds(before, one) for before in recent)
        spans.append((one.t, one.thawed if second else _ends(one)))
        recent.append(one)
    return _merged(spans)


def lasts(freezes: Iterable[Freeze], *, by_coordinators: bool) -> bool:
    """Whether one by the coordinators, or by the recovery keys, holds until a thaw."""
    known = tuple(freezes)
    if by_coordinators:
        return any(ends is None for _, ends in coordinators_spans(known))
    return any(one.thawed is None for one in known if not one.country)


def second_signature(freezes: Iterable[Freeze], made: Freeze) -> bool:
    """Whether a new freeze would make one last that another country's coordinator has made."""
    return any(_seconds(one, made) and one.t <= made.t < _ends(one) for one in freezes)


def thawed(freezes: Iterable[Freeze], t: int) -> tuple[Freeze, ...]:
    """The freezes after a thaw: the recovery keys' own are forgotten.

    The coordinators' still say how long a recovery waits and who has frozen lately.
    """
    coordinators = (one for one in freezes if one.country)
    return tuple(replace(one, thawed=t) if one.thawed is None else one for one in coordinators)


def counted_from(t: int, delay: int, holes: Iterable[Span]) -> int | None:
    """When `delay` seconds after `t` have passed that lie in no hole; None while one has no end.

    `holes` in order and without overlap.
    """
    counts = t + delay
    for begins, ends in holes:
        if begins >= counts:
            break
        if ends is None:
            return None
        counts += max(0, ends - max(begins, t))
    return counts


def standing(spans: Iterable[Span], now: int) -> bool:
    """Whether one of these spans is not over.

    Each has begun by the log's time. Whoever has read of it heeds it, though the own clock may
    not be there yet: the log's time may be some minutes ahead.
    """
    return any(ends is None or now < ends for _, ends in spans)


def _counts(pending: Pending | None, now: int) -> Pending | None:
    if pending is None or pending.counts_from is None or now < pending.counts_from:
        return None
    return pending


def _ends(freeze: Freeze) -> int:
    ends = freeze.t + FREEZE_LASTS
    return ends if freeze.thawed is None else min(ends, freeze.thawed)


def _seconds(first: Freeze, second: Freeze) -> bool:
    """Whether two coordinators' freezes are two countries' word: nobody is two by moving."""
    both = "" not in (first.country, second.country)
    return both and first.country != second.country and first.by != second.by


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for begins, ends in sorted(spans, key=lambda span: span[0]):
        if merged and (merged[-1][1] is None or begins <= merged[-1][1]):
            before, until = merged[-1]
            last = None if until is None or ends is None else max(until, ends)
            merged[-1] = (before, last)
        elif ends is None or begins < ends:
            merged.append((begins, ends))
    return tuple(merged)
