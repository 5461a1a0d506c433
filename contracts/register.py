"""Who may sign for whom and which keys open whose mail: the log's statements, folded in order.

The fold is pure. It holds no clock (every rule about time uses the log's own `t`), reads no
network, and trusts nobody: a directory, a hub and a desk that fold the same leaves hold the same
register. A statement that breaks a rule changes nothing, for everyone alike. It does not know
listings, routes or witnesses.

    register = Register("demo.example")
    register.apply(leaf)                      # raises Refused: no effect
    register.recipients(to=org, sender=own, sender_device=own_device, now=now)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.errors import BadSignature, Malformed, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf
from contracts.signing import Label, key_id, signed_bytes, verify_bytes
from contracts.statements import (
    DAY,
    WEEK,
    WEEKS_AHEAD,
    Content,
    DeviceContent,
    EncryptionKey,
    Heading,
    KeysContent,
    OrgContent,
    Role,
    Statement,
    first_heading,
    read_content,
)

__all__ = ["Device", "EncryptionKey", "KeyOwner", "Organisation", "Register", "RootChanged"]

# A device that no admin device has countersigned waits this long, so that the organisation's own
# desks can raise the alarm when somebody holds the stick with the root key.
DEVICE_DELAY: Final = DAY
# Desks whose clocks differ choose neighbouring weeks' keys around Monday midnight.
CLOCK_TOLERANCE: Final = 300


@dataclass(frozen=True, slots=True)
class Device:
    """A computer that signs for an organisation, with the keys it has published last.

    `nbf` ≤ time < `naf` is its window and `counts_from` when the certificate takes effect, all
    Unix seconds. `suites` and `reads` are empty until it has published keys.
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

    def in_window(self, at: int) -> bool:
        """Whether the certificate covers this time."""
        return self.nbf <= at < self.naf

    def in_force(self, at: int) -> bool:
        """Whether it covers this time and had taken effect by then."""
        return self.counts_from <= at and self.in_window(at)

    def key_for(self, at: int) -> EncryptionKey | None:
        """The published key for the week that `at` lies in, or none."""
        return next((key for key in self.keys if key.nbf <= at < key.naf), None)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation and where its chain of statements stands (`seq`, hash `head`)."""

    id: OrgId
    country: str
    kind: str
    root: bytes
    recovery: tuple[bytes, ...]
    seq: int
    head: str
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Who published an encryption key. Older weeks stay known: mail may still be on its way."""

    org: OrgId
    device: KeyId
    key: EncryptionKey


class RootChanged(Refused):
    """A second beginning of an organisation, signed, with another root key: an alarm.

    The statement has no effect. Either the organisation lost its keys and began anew, or somebody
    is putting another in its place; only a phone call can tell.
    """

    def __init__(self, org: OrgId) -> None:
        super().__init__("root_changed", "root")
        self.org = org


class Register:
    """The state after all leaves applied so far. Copy it to try leaves without keeping them."""

    def __init__(self, net: str) -> None:
        self.net = net
        self._t = 0
        self._organisations: dict[OrgId, Organisation] = {}
        self._devices: dict[KeyId, Device] = {}
        self._signing_keys: set[KeyId] = set()
        # By encryption key id; a plain pair, because a log holds thirteen times as many as leaves.
        self._owners: dict[KeyId, tuple[KeyId, EncryptionKey]] = {}

    def copy(self) -> Register:
        """An independent register in the same state."""
        twin = Register(self.net)
        twin._t = self._t
        twin._organisations = self._organisations.copy()
        twin._devices = self._devices.copy()
        twin._signing_keys = self._signing_keys.copy()
        twin._owners = self._owners.copy()
        return twin

    def apply(self, leaf: Leaf) -> Organisation:
        """Let the next leaf take effect; the organisation it is about, as it then stands.

        Raises `Refused(rule, field)` where its statement breaks a rule: it has no effect then and
        its author's chain stays where it was; `RootChanged` is such a refusal that somebody must
        look into. Raises `Malformed("time_fell", "t")` where the log
        itself is at fault; such a log must not be followed any further.
        """
        if leaf.t < self._t:
            raise Malformed("time_fell", "t")
        self._t = leaf.t
        try:
            return self._apply(read_content(leaf.statement), leaf)
        except (Malformed, BadSignature) as error:
            raise Refused(error.code, error.field) from None

    @property
    def time(self) -> int:
        """The newest leaf's time, Unix seconds, 0 before any: it is at least so late."""
        return self._t

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """All organisations, in the order of their ids."""
        return tuple(sorted(self._organisations.values(), key=lambda found: found.id))

    def organisation(self, org: OrgId) -> Organisation | None:
        """The organisation of this id, or none."""
        return self._organisations.get(org)

    def device(self, org: OrgId, device: KeyId) -> Device | None:
        """The device of this key id if that organisation has certified it, whatever its window."""
        found = self._devices.get(device)
        return found if found is not None and found.org == org else None

    def usable_devices(self, org: OrgId, now: int) -> tuple[Device, ...]:
        """The organisation's devices in force, in the order of their key ids."""
        organisation = self._organisations.get(org)
        devices = organisation.devices if organisation is not None else ()
        return tuple(device for device in devices if device.in_force(now))

    def recipients(
        self, *, to: OrgId, sender: OrgId, sender_device: KeyId, now: int
    ) -> tuple[EncryptionKey, ...]:
        """To which keys an envelope is sealed: every device of `to`, every other of `sender`.

        One key a device, those of `to` first, each in the order of device key ids. Raises
        `Refused("unknown_recipient" | "recipient_has_no_keys", "to")`.
        """
        if to not in self._organisations:
            raise Refused("unknown_recipient", "to")
        theirs = self._keys_for(to, sender_device, now)
        if not theirs:
            raise Refused("recipient_has_no_keys", "to")
        return theirs if to == sender else theirs + self._keys_for(sender, sender_device, now)

    def can_receive(self, org: OrgId, now: int) -> bool:
        """Whether any device of the organisation has a key for now."""
        return any(device.key_for(now) for device in self.usable_devices(org, now))

    def owner_of_key(self, encryption_key: KeyId) -> KeyOwner | None:
        """Who published an encryption key, this week's or an older one, or none."""
        found = self._owners.get(encryption_key)
        if found is None:
            return None
        device = self._devices[found[0]]
        return KeyOwner(device.org, device.key_id, found[1])

    def check_recipients(
        self, keys: Sequence[KeyId], *, to: OrgId, sender: OrgId, sender_device: KeyId, iat: int
    ) -> None:
        """The hub's check of an envelope's `keys`, one lookup a key.

        Each must be of a device of `to`, or of another device of `sender`, in force at `iat` and
        of that week (300 s either way); no device twice; at least one of `to`. Whether a device
        is missing is not refused: the sender's mirror may be younger or older than ours. Raises
        `Refused("keys_changed", "keys")`: the sender seals again.
        """
        found = [self._owners[key] for key in keys if key in self._owners]
        devices = [(self._devices[device], key) for device, key in found]
        owners = {device.key_id: device.org for device, key in devices if _valid(device, key, iat)}
        orgs = set(owners.values())
        if len(owners) != len(keys) or sender_device in owners or not orgs <= {to, sender}:
            raise Refused("keys_changed", "keys")
        if to not in orgs:
            raise Refused("keys_changed", "keys")

    def next_heading(self, org: OrgId, *, iat: int) -> Heading:
        """The heading that the organisation's next statement must carry."""
        known = self._organisations.get(org)
        if known is None:
            return first_heading(net=self.net, org=org, iat=iat)
        return Heading(self.net, org, org, known.seq + 1, known.head, iat)

    def _keys_for(self, org: OrgId, without: KeyId, now: int) -> tuple[EncryptionKey, ...]:
        devices = self.usable_devices(org, now)
        keys = (device.key_for(now) for device in devices if device.key_id != without)
        return tuple(key for key in keys if key is not None)

    def _apply(self, content: Content, leaf: Leaf) -> Organisation:
        heading = content.heading
        if heading.net != self.net:
            raise Refused("other_net", "net")
        if heading.by != heading.org:
            raise Refused("not_the_author", "by")
        if isinstance(content, OrgContent):
            return self._add_organisation(content, leaf.statement)
        organisation = self._continued(heading)
        if isinstance(content, DeviceContent):
            changed = self._certified(organisation, content, leaf)
        else:
            changed = self._published(organisation, content, leaf)
        return self._keep(organisation, changed, heading.seq, leaf.statement)

    def _add_organisation(self, content: OrgContent, statement: Statement) -> Organisation:
        org, seq = content.heading.org, content.heading.seq
        root = key_id(content.root)
        known = self._organisations.get(org)
        if known is not None:
            _refuse_second(known, content, statement)
        if content.heading != first_heading(net=self.net, org=org, iat=content.heading.iat):
            raise Refused("chain_broken", "seq")
        self._check_new(root, "root")
        _check_signed(statement, {root: content.root})
        self._signing_keys.add(root)
        added = Organisation(
            org, content.country, content.kind, content.root, content.recovery, seq, statement.hash
        )
        self._organisations[org] = added
        return added

    def _continued(self, heading: Heading) -> Organisation:
        """The organisation whose chain this heading continues by exactly one."""
        organisation = self._organisations.get(heading.org)
        if organisation is None:
            raise Refused("unknown_organisation", "org")
        if heading.seq != organisation.seq + 1:
            raise Refused("gap_in_seq", "seq")
        if heading.prev != organisation.head:
            raise Refused("chain_broken", "prev")
        return organisation

    def _certified(self, organisation: Organisation, content: DeviceContent, leaf: Leaf) -> Device:
        device = key_id(content.sign)
        self._check_new(device, "sign")
        signers = {key_id(organisation.root): organisation.root, device: content.sign}
        admins = _admins_among(leaf, organisation.devices)
        _check_signed(leaf.statement, signers | {admin.key_id: admin.public for admin in admins})
        at_once = admins or not organisation.devices
        counts_from = leaf.t if at_once else leaf.t + DEVICE_DELAY
        org, role, nbf, naf = organisation.id, content.role, content.nbf, content.naf
        return Device(org, device, content.sign, role, nbf, naf, counts_from)

    def _published(self, organisation: Organisation, content: KeysContent, leaf: Leaf) -> Device:
        signatures = leaf.statement.signatures
        device = self.device(organisation.id, signatures[0].key_id) if signatures else None
        if device is None:
            raise Refused("not_a_device", "sigs")
        if not device.in_window(leaf.t):
            raise Refused("outside_its_window", "sigs")
        if content.keys[-1].nbf > leaf.t + WEEKS_AHEAD * WEEK:
            raise Refused("too_far_ahead", "keys")
        _check_signed(leaf.statement, {device.key_id: device.public})
        self._check_unpublished(device, content.keys)
        return replace(device, keys=content.keys, suites=content.suites, reads=content.reads)

    def _check_new(self, signing_key: KeyId, field: str) -> None:
        if signing_key in self._signing_keys:
            raise Refused("key_already_used", field)

    def _check_unpublished(self, device: Device, keys: Iterable[EncryptionKey]) -> None:
        """A device may publish a key again for the same week, and nobody else's key at all.

        Otherwise one key would belong to two boxes, and a peer could have another's mail
        delivered to itself; it could not read it, but it would be missing there.
        """
        for key in keys:
            found = self._owners.get(key.key_id)
            if found is not None and found != (device.key_id, key):
                raise Refused("key_already_used", "keys")

    def _keep(
        self, organisation: Organisation, changed: Device, seq: int, statement: Statement
    ) -> Organisation:
        """The only place where a device's statement takes effect; nothing here can be refused."""
        others = [device for device in organisation.devices if device.key_id != changed.key_id]
        devices = tuple(sorted((*others, changed), key=lambda device: device.key_id))
        self._signing_keys.add(changed.key_id)
        self._devices[changed.key_id] = changed
        self._owners.update((key.key_id, (changed.key_id, key)) for key in changed.keys)
        grown = replace(organisation, seq=seq, head=statement.hash, devices=devices)
        self._organisations[organisation.id] = grown
        return grown


def _valid(device: Device, key: EncryptionKey, at: int) -> bool:
    """Whether a sender whose clock is a little off may have taken this key for `at`."""
    early, late = at - CLOCK_TOLERANCE, at + CLOCK_TOLERANCE
    in_force = device.counts_from <= late and device.nbf <= late and early < device.naf
    return in_force and key.nbf <= late and early < key.naf


def _refuse_second(known: Organisation, content: OrgContent, statement: Statement) -> None:
    """A second `org` for an id is refused; with another root, and signed, it is an alarm.

    The signature is asked for so that nobody without any key of the log can raise the alarm.
    """
    if content.root == known.root:
        raise Refused("org_repeated", "org")
    either = {key_id(known.root): known.root, key_id(content.root): content.root}
    signers = {signature.key_id for signature in statement.signatures}
    _check_signed(statement, {signer: key for signer, key in either.items() if signer in signers})
    raise RootChanged(known.id)


def _admins_among(leaf: Leaf, devices: Iterable[Device]) -> tuple[Device, ...]:
    """The organisation's admin devices, in force at the log's time, that signed the leaf."""
    signers = {signature.key_id for signature in leaf.statement.signatures}
    return tuple(
        device
        for device in devices
        if device.key_id in signers and device.role is Role.ADMIN and device.in_force(leaf.t)
    )


def _check_signed(statement: Statement, signers: dict[KeyId, bytes]) -> None:
    """Exactly these keys signed the statement: none missing, none besides, all good."""
    if not signers or {signature.key_id for signature in statement.signatures} != signers.keys():
        raise Refused("wrong_signers", "sigs")
    signed = signed_bytes(Label.STATEMENT, statement.body)
    for signature in statement.signatures:
        verify_bytes(signers[signature.key_id], signature.value, signed)
