"""Everything that the log's statements came to so far, each fact in one place.

What waits (a change of keys, a recovery) and what passes over an organisation's devices (a freeze,
the end of the old root) is not written into them when its time comes: it is worked out whenever
somebody asks, so that nothing depends on when the next statement happens to come, and what a
statement costs does not grow with what an organisation has. This file does not know who may
change anything (`contracts.rules`) nor who asks (`contracts.register`).

    organisation = state.settled(org)            # None, or as it stands at the log's time
    state.keep(replace(organisation, ...))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from contracts.contents import EncryptionKey
from contracts.identifiers import KeyId, OrgId
from contracts.root import Coordinator, RootFile
from contracts.routing import RouteState
from contracts.standing import (
    CHANGE_DELAY,
    ENROLMENT_WITHIN,
    Device,
    Listed,
    Organisation,
    Pending,
    StopKind,
    Stopped,
    Vouch,
    coordinators_spans,
    counted_from,
    frozen_spans,
)


@dataclass(slots=True)
class State:
    """The state after the leaves so far; `t` is the newest leaf's time.

    `organisations` are kept without their devices and without their place in the chain, and
    `devices` as they were certified, published and stopped: `whole` and `seen` add the rest.
    """

    root: RootFile
    t: int = 0
    organisations: dict[OrgId, Organisation] = field(default_factory=dict)
    devices: dict[KeyId, Device] = field(default_factory=dict)
    certified: dict[OrgId, list[KeyId]] = field(default_factory=dict)
    # Roots and devices that have shown that somebody holds them: such a key stands once in the log.
    signing_keys: set[KeyId] = field(default_factory=set)
    # By encryption key id; a plain pair, because a log holds thirteen times as many as leaves.
    owners: dict[KeyId, tuple[KeyId, EncryptionKey]] = field(default_factory=dict)
    # Where each author's chain stands: `seq` and hash of the last statement.
    chains: dict[OrgId, tuple[int, str]] = field(default_factory=dict)
    # For organisations that have not begun.
    vouches: dict[OrgId, tuple[Vouch, ...]] = field(default_factory=dict)
    listings: dict[OrgId, Listed] = field(default_factory=dict)
    routes: dict[tuple[str, str], RouteState] = field(default_factory=dict)

    def copy(self) -> State:
        """An independent state that says the same; the values in it never change."""
        return State(
            self.root,
            self.t,
            self.organisations.copy(),
            self.devices.copy(),
            {org: devices.copy() for org, devices in self.certified.items()},
            self.signing_keys.copy(),
            self.owners.copy(),
            self.chains.copy(),
            self.vouches.copy(),
            self.listings.copy(),
            self.routes.copy(),
        )

    def settled(self, org: OrgId) -> Organisation | None:
        """The organisation at the log's time, a change of keys that counts by now made.

        Without its devices and its place in the chain: `whole` has them.
        """
        found = self.organisations.get(org)
        pending = None if found is None else _due(found, self.t)
        if found is None or pending is None:
            return found
        had_device = found.has_had_device and not pending.recover
        return replace(
            found,
            root=pending.root,
            recovery=pending.recovery,
            pending=None,
            has_had_device=had_device,
        )

    def whole(self, org: OrgId) -> Organisation | None:
        """The organisation at the log's time with all its devices, in the order of key ids."""
        found = self.settled(org)
        if found is None:
            return None
        seq, head = self.chains[org]
        return replace(found, seq=seq, head=head, devices=self.devices_of(org))

    def devices_of(self, org: OrgId) -> tuple[Device, ...]:
        """All that the organisation has certified, in the order of key ids."""
        return tuple(self.seen(self.devices[one]) for one in sorted(self.certified.get(org, ())))

    def device(self, device: KeyId) -> Device | None:
        """The device of this key id, or none."""
        found = self.devices.get(device)
        return None if found is None else self.seen(found)

    def seen(self, device: Device) -> Device:
        """A device as its organisation's freezes and its recovery leave it."""
        organisation = self.organisations[device.org]
        pending, freezes = organisation.pending, organisation.freezes
        if pending is None and not freezes:
            return device
        stopped = device.stopped or _ended(organisation, self.t)
        recovering = pending is not None and pending.recover and stopped is None
        ends_at = pending.counts_from if pending is not None and recovering else None
        return replace(device, stopped=stopped, ends_at=ends_at, paused=frozen_spans(freezes))

    def keep(self, organisation: Organisation) -> None:
        """The only place where an organisation's own state changes; nothing here can be refused.

        A freeze moves the day on which a recovery counts.
        """
        self._end_the_old_roots_devices(organisation.id)
        pending = organisation.pending
        if pending is not None and pending.recover:
            holes = coordinators_spans(organisation.freezes)
            counts_from = counted_from(pending.t, CHANGE_DELAY, holes)
            organisation = replace(organisation, pending=replace(pending, counts_from=counts_from))
        self.organisations[organisation.id] = organisation

    def add_device(self, device: Device) -> None:
        """A new device of an organisation whose own state has been kept."""
        self.signing_keys.add(device.key_id)
        self.devices[device.key_id] = device
        self.certified.setdefault(device.org, []).append(device.key_id)

    def vouching(self, org: OrgId, of: str) -> frozenset[str]:
        """The countries whose word for this beginning admits an organisation now.

        Only of coordinators who are still in the root file, with the key that they signed with:
        a stolen key that has been replaced must not go on admitting for a month.
        """
        found = (
            one
            for one in self.vouches.get(org, ())
            if one.of == of and self.t <= one.t + ENROLMENT_WITHIN
        )
        known = ((self.root.coordinator(one.coordinator), one.key) for one in found)
        return frozenset(
            coordinator.country
            for coordinator, key in known
            if coordinator is not None and coordinator.key == key
        )

    def is_coordinators(self, public: bytes) -> bool:
        """Whether this is the key of a coordinator in force."""
        return any(one.key == public for one in self.root.coordinators)

    def coordinators_of(self, country: str) -> tuple[Coordinator, ...]:
        """The coordinators in force of this country."""
        return tuple(one for one in self.root.coordinators if one.country == country)

    def _end_the_old_roots_devices(self, org: OrgId) -> None:
        known = self.organisations.get(org)
        ended = None if known is None else _ended(known, self.t)
        for key in self.certified.get(org, ()) if ended is not None else ():
            device = self.devices[key]
            if device.stopped is None:
                self.devices[key] = replace(device, stopped=ended)


def _due(organisation: Organisation, t: int) -> Pending | None:
    """The change of keys that counts by this time although nothing has been written since."""
    pending = organisation.pending
    if pending is None or pending.counts_from is None or t < pending.counts_from:
        return None
    return pending


def _ended(organisation: Organisation, t: int) -> Stopped | None:
    """How all its devices ended if a recovery counts by this time; none goes on."""
    pending = _due(organisation, t)
    if pending is None or not pending.recover or pending.counts_from is None:
        return None
    ended = pending.counts_from
    return Stopped(StopKind.REVOKED, ended, organisation.id, ended)
