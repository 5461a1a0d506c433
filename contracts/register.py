"""Who may sign for whom and which keys open whose mail: the log's statements, folded in order.

The fold is pure. It holds no clock (every rule about time uses the log's own `t`), reads no
network, and trusts nobody: a directory, a witness, a hub and a desk that fold the same leaves
hold the same register. A statement that breaks a rule changes nothing, for everyone alike, and
does not advance its author's chain. The rules themselves stand in `contracts.rules`; this file
keeps the chains and answers questions. It does not know envelopes nor the Merkle tree.

    register = Register(root)
    register.apply(leaf)                      # raises Refused: no effect
    register.recipients(to=org, sender=own, sender_device=own_device, now=now)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contracts.contents import Content, EncryptionKey, OrgContent, read_content
from contracts.errors import BadSignature, Malformed, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf
from contracts.root import RootFile, RulesUnknown
from contracts.routing import RouteTable
from contracts.rules import RootChanged, apply_content
from contracts.signers import Check, Claim
from contracts.signing import verify_bytes
from contracts.standing import Device, KeyOwner, Listed, Organisation
from contracts.state import State
from contracts.statements import NO_PREVIOUS, Heading

__all__ = [
    "Device",
    "EncryptionKey",
    "KeyOwner",
    "Listed",
    "Organisation",
    "Register",
    "RootChanged",
    "RulesUnknown",
]

# Desks whose clocks differ choose neighbouring weeks' keys around Monday midnight.
CLOCK_TOLERANCE: Final = 300


class Register:
    """The state after all leaves applied so far. Copy it to try leaves without keeping them."""

    def __init__(self, root: RootFile) -> None:
        """An empty log under this root file; a `root` statement puts another one in force."""
        self._state = State(root)

    def copy(self) -> Register:
        """An independent register in the same state."""
        twin = Register(self._state.root)
        twin._state = self._state.copy()
        return twin

    def apply(self, leaf: Leaf, *, check: Check = verify_bytes) -> Heading:
        """Let the next leaf take effect; its heading: whose it is and whom it concerns.

        Raises `Refused(rule, field)` where its statement breaks a rule: it has no effect then and
        its author's chain stays where it was; `RootChanged` is such a refusal that somebody must
        look into. `RulesUnknown` is none: the coordinators have agreed on rules that this program
        does not know, and it must stop here. Raises `Malformed("time_fell", "t")` where the log
        itself is at fault; such a log must not be followed any further.

        `check` verifies one signature, and raises `BadSignature`. One that does so later must see
        to it that a register in which any signature was bad is thrown away.
        """
        if leaf.t < self._state.t:
            raise Malformed("time_fell", "t")
        self._state.t = leaf.t
        try:
            claim = Claim(leaf.statement, leaf.t, check)
            return self._apply(read_content(leaf.statement), claim)
        except (Malformed, BadSignature) as error:
            raise Refused(error.code, error.field) from None

    @property
    def root(self) -> RootFile:
        """The root file in force: the program's own, or a later one out of the log."""
        return self._state.root

    @property
    def net(self) -> str:
        """The network's name, which every statement repeats."""
        return self._state.root.net

    @property
    def time(self) -> int:
        """The newest leaf's time, Unix seconds, 0 before any: it is at least so late."""
        return self._state.t

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """All organisations, in the order of their ids."""
        found = (self._state.whole(org) for org in sorted(self._state.organisations))
        return tuple(one for one in found if one is not None)

    @property
    def routes(self) -> RouteTable:
        """The routes that two countries' coordinators have signed."""
        return RouteTable.of(self._state.routes)

    @property
    def listings(self) -> tuple[Listed, ...]:
        """What is listed, in the order of the organisations' ids."""
        return tuple(sorted(self._state.listings.values(), key=lambda listed: listed.org))

    def listing(self, org: OrgId) -> Listed | None:
        """What is listed of an organisation, with or without keys of its own, or none."""
        return self._state.listings.get(org)

    def organisation(self, org: OrgId) -> Organisation | None:
        """The organisation of this id at the newest leaf's time, or none."""
        return self._state.whole(org)

    def vouches(self, org: OrgId, of: str) -> int:
        """From how many countries an organisation not yet begun has a word that admits it now."""
        return len(self._state.vouching(org, of))

    def device(self, org: OrgId, device: KeyId) -> Device | None:
        """The device of this key id if that organisation has certified it, whatever its window."""
        found = self._state.device(device)
        return found if found is not None and found.org == org else None

    def usable_devices(self, org: OrgId, now: int) -> tuple[Device, ...]:
        """The organisation's devices in force, in the order of their key ids."""
        return tuple(one for one in self._state.devices_of(org) if one.in_force(now))

    def recipients(
        self, *, to: OrgId, sender: OrgId, sender_device: KeyId, now: int
    ) -> tuple[EncryptionKey, ...]:
        """To which keys an envelope is sealed: every device of `to`, every other of `sender`.

        One key a device, those of `to` first, each in the order of device key ids. Raises
        `Refused("unknown_recipient" | "recipient_has_no_keys", "to")`.
        """
        if to not in self._state.organisations:
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
        found = self._state.owners.get(encryption_key)
        if found is None:
            return None
        device = self._state.devices[found[0]]
        return KeyOwner(device.org, device.key_id, found[1])

    def check_recipients(
        self,
        keys: Sequence[KeyId],
        *,
        to: OrgId,
        sender: OrgId,
        sender_device: KeyId,
        iat: int,
        now: int,
    ) -> None:
        """The hub's check of an envelope's `keys`, one lookup a key.

        Each must be of a device of `to`, or of another device of `sender`, in force at `iat` and
        of that week (300 s either way), and not silenced now; no device twice; at least one of
        `to`. Whether a device
        is missing is not refused: the sender's mirror may be younger or older than ours. Raises
        `Refused("keys_changed", "keys")`: the sender seals again.
        """
        state = self._state
        found = (state.owners[key] for key in keys if key in state.owners)
        devices = ((state.seen(state.devices[device]), key) for device, key in found)
        owners = {
            device.key_id: device.org for device, key in devices if _valid(device, key, iat, now)
        }
        orgs = set(owners.values())
        if len(owners) != len(keys) or sender_device in owners or not orgs <= {to, sender}:
            raise Refused("keys_changed", "keys")
        if to not in orgs:
            raise Refused("keys_changed", "keys")

    def next_heading(self, by: OrgId, *, iat: int, org: OrgId | None = None) -> Heading:
        """The heading that an author's next statement must carry; about itself unless `org`."""
        seq, head = self._state.chains.get(by, (0, NO_PREVIOUS))
        return Heading(self.net, by, by if org is None else org, seq + 1, head, iat)

    def _keys_for(self, org: OrgId, without: KeyId, now: int) -> tuple[EncryptionKey, ...]:
        devices = self.usable_devices(org, now)
        keys = (device.key_for(now) for device in devices if device.key_id != without)
        return tuple(key for key in keys if key is not None)

    def _apply(self, content: Content, claim: Claim) -> Heading:
        heading = content.heading
        if heading.net != self.net:
            raise Refused("other_net", "net")
        self._check_chain(content)
        apply_content(self._state, content, claim)
        self._state.chains[heading.by] = (heading.seq, claim.statement.hash)
        return heading

    def _check_chain(self, content: Content) -> None:
        """The statement continues its author's chain by exactly one."""
        heading, state = content.heading, self._state
        known = state.chains.get(heading.by)
        beginning = isinstance(content, OrgContent) and heading.seq == 1
        if beginning and heading.by in state.organisations:
            return  # a second beginning: `contracts.rules` says what that means
        if known is None and not beginning and state.root.coordinator(heading.by) is None:
            raise Refused("unknown_author", "by")
        seq, head = known or (0, NO_PREVIOUS)
        if heading.seq != seq + 1:
            raise Refused("gap_in_seq", "seq")
        if heading.prev != head:
            raise Refused("chain_broken", "prev")


def _valid(device: Device, key: EncryptionKey, at: int, now: int) -> bool:
    """Whether a sender whose clock is a little off may have taken this key for `at`."""
    early, late = at - CLOCK_TOLERANCE, at + CLOCK_TOLERANCE
    in_force = device.counts_from <= late and device.nbf <= late and early < device.naf
    in_force = in_force and not device.silenced(now)
    return in_force and key.nbf <= late and early < key.naf
