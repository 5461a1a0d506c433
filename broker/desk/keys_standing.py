"""How our own keys stand, for `rujukan keys`, the status and the page: reads only.

    standing = keys_standing(desk)

It reads no secret: which keys there are, when they count or end, and for whom they wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broker.desk.joining import applicant
from broker.desk.records import Checked
from broker.desk.unlocking import Desk
from broker.desk.weeks import weeks_ahead
from contracts.fingerprint import fingerprint
from contracts.identifiers import KeyId, OrgId
from contracts.root import Coordinator
from contracts.standing import Device, Freeze, Organisation, Pending


@dataclass(frozen=True, slots=True)
class OurDevice:
    """One computer of ours. `state` is one of in_force, waits, not_yet, over, paused, frozen,
    revoked; `weeks` how many weeks after this one have a key, -1 where not even this one has.
    """

    device: Device
    state: str
    weeks: int
    here: bool


@dataclass(frozen=True, slots=True)
class KeysStanding:
    """Who we are and what our keys can do now.

    `admitted` None until we are in the log; then `countries` counts whose coordinators have
    vouched, and `coordinators` are those who can. `here` is this computer's key.
    """

    org: OrgId
    net: str
    root_hash: str
    digits: str
    kind: str
    here: KeyId
    here_digits: str
    now: int
    admitted: Organisation | None
    countries: int
    coordinators: tuple[Coordinator, ...]
    devices: tuple[OurDevice, ...]
    checked: tuple[Checked, ...]

    @property
    def recovery(self) -> int:
        """How many recovery keys are in force."""
        return 0 if self.admitted is None else len(self.admitted.recovery_at(self.now))

    @property
    def uncounted(self) -> tuple[OurDevice, ...]:
        """Other computers of ours that do not count yet: the stick alone has certified them.

        Perhaps none of us did so, and there is time to stop them.
        """
        return tuple(one for one in self.devices if one.state == "waits" and not one.here)

    @property
    def pending(self) -> Pending | None:
        """A change of root or recovery keys that does not count yet."""
        pending = None if self.admitted is None else self.admitted.pending
        counted = pending is not None and pending.counts_from is not None
        if pending is None or (counted and (pending.counts_from or 0) <= self.now):
            return None
        return pending

    @property
    def pending_digits(self) -> str:
        """The digits after the pending change, "" where they stay."""
        pending = self.pending
        if pending is None or self.admitted is None:
            return ""
        if pending.root == self.admitted.root_at(self.now):
            return ""
        return fingerprint(self.org, root=pending.root)

    @property
    def freezes(self) -> tuple[Freeze, ...]:
        """The freezes of the whole organisation that nobody has ended."""
        freezes = () if self.admitted is None else self.admitted.freezes
        return tuple(one for one in freezes if one.thawed is None)

    @property
    def frozen(self) -> bool:
        """Whether none of us may speak now."""
        return self.admitted is not None and self.admitted.frozen(self.now)

    @property
    def vouched_until(self) -> int | None:
        """Until when two coordinators' words hold; they are renewed every twelve months."""
        return None if self.admitted is None else self.admitted.vouched_until

    @property
    def certified(self) -> bool:
        """Whether the log knows this computer's key as ours, in whatever state."""
        return any(one.here for one in self.devices)

    @property
    def green(self) -> bool:
        """Whether this desk can send and receive, as far as keys are concerned."""
        ready = (one.state == "in_force" and one.weeks >= 0 for one in self.devices if one.here)
        return not self.frozen and any(ready)


def keys_standing(desk: Desk) -> KeysStanding:
    """The standing now. Raises `HardStop` where the log is not believed."""
    register, ring = desk.log.register, desk.ring
    # What counts at once has the log's time, which may be some seconds ahead of this computer's.
    now = max(desk.clock(), register.time)
    admitted = register.organisation(ring.org)
    waiting = applicant(desk.home, register)
    root = admitted.root_at(now) if admitted is not None else waiting.root if waiting else b""
    with desk.store.reading() as rows:
        checked = rows.all_checked()
    devices = () if admitted is None else admitted.devices
    return KeysStanding(
        org=ring.org,
        net=ring.net,
        root_hash=desk.root.hash,
        digits=fingerprint(ring.org, root=root) if root else "",
        kind=admitted.kind if admitted is not None else waiting.kind if waiting else "",
        here=ring.device,
        here_digits=fingerprint(ring.org, root=ring.signing.public),
        now=now,
        admitted=admitted,
        countries=waiting.vouches if waiting else 0,
        coordinators=register.root.coordinators,
        devices=tuple(_ours(device, ring.device, now=now) for device in devices),
        checked=tuple(sorted(checked, key=lambda one: one.peer)),
    )


def last_to_receive(devices: Iterable[Device], without: KeyId, *, now: int) -> bool:
    """Whether nobody of us could receive without this device."""
    others = (one for one in devices if one.key_id != without and one.in_force(now))
    return not any(one.key_for(now) for one in others)


def _ours(device: Device, here: KeyId, *, now: int) -> OurDevice:
    return OurDevice(
        device, _state(device, now=now), weeks_ahead(device, now=now), device.key_id == here
    )


def _state(device: Device, *, now: int) -> str:
    if device.stopped is not None:
        return device.stopped.kind.value
    if device.naf <= now or (device.ends_at is not None and device.ends_at <= now):
        return "over"
    if device.counts_from > now:
        return "waits"
    if now < device.nbf:
        return "not_yet"
    return "paused" if device.silenced(now) else "in_force"
