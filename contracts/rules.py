"""Whether a statement counts, and what it then changes: one function for each type.

Each takes the state before, what the statement says and its claim; it raises `Refused` with the
broken rule and the member, or changes the state at its very end, where nothing can be refused any
more. There is no clock: every rule about time uses the claim's `t`. Who may sign what is said here
and nowhere else. This file does not know queries (`contracts.register`) nor forms
(`contracts.contents`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from contracts.contents import (
    WEEKS_AHEAD,
    ConfirmContent,
    Content,
    DeviceContent,
    EncryptionKey,
    FreezeContent,
    KeysContent,
    ListingContent,
    OrgContent,
    RecoverContent,
    RevokeContent,
    Role,
    RootContent,
    RouteContent,
    ThawContent,
    VouchContent,
)
from contracts.errors import Refused
from contracts.identifiers import KeyId, OrgId
from contracts.root import Coordinator, next_root
from contracts.signers import Claim, Keys, by_id, check_signed, check_signed_by, signers
from contracts.signing import key_id
from contracts.standing import (
    CHANGE_DELAY,
    VOUCHES_NEEDED,
    Device,
    Freeze,
    Listed,
    Organisation,
    Pending,
    StopKind,
    Stopped,
    Vouch,
    lasts,
    second_signature,
    thawed,
)
from contracts.state import State
from contracts.times import DAY, WEEK

# A device that no admin device has countersigned waits this long, so that the organisation's own
# desks can raise the alarm when somebody holds the stick with the root key.
DEVICE_DELAY: Final = DAY
# Otherwise one coordinator could keep an organisation silent for ever, 72 hours at a time.
FREEZE_AGAIN: Final = 30 * DAY
ANY_TWO: Final = 2  # of the recovery keys


class RootChanged(Refused):
    """A second beginning of an organisation, signed, with another root key: an alarm.

    The statement has no effect. Either the organisation lost its keys and began anew, or somebody
    is putting another in its place; only a phone call can tell.
    """

    def __init__(self, org: OrgId) -> None:
        super().__init__("root_changed", "root")
        self.org = org


def apply_content(state: State, content: Content, claim: Claim) -> None:
    """Let one statement take effect. Raises `Refused`, `BadSignature`, `Malformed`: no effect."""
    _RULES[type(content)](state, content, claim)


def _organisation(state: State, org: OrgId) -> Organisation:
    found = state.settled(org)
    if found is None:
        raise Refused("unknown_organisation", "org")
    return found


def _own(state: State, content: Content, *, while_frozen: bool) -> Organisation:
    """The organisation that speaks for itself."""
    heading = content.heading
    organisation = _organisation(state, heading.org)
    if heading.by != heading.org:
        raise Refused("not_the_author", "by")
    if not while_frozen and organisation.frozen(state.t):
        raise Refused("organisation_frozen", "org")
    return organisation


def _coordinator(state: State, author: OrgId) -> Coordinator:
    found = state.root.coordinator(author)
    if found is None:
        raise Refused("not_a_coordinator", "by")
    return found


def _org(state: State, content: OrgContent, claim: Claim) -> None:
    heading = content.heading
    if heading.by != heading.org:
        raise Refused("not_the_author", "by")
    known = state.settled(heading.org)
    if known is None:
        _begin(state, content, claim)
    elif heading.seq == 1:
        _refuse_second(known, content, claim)
    else:
        _change_keys(state, content, claim)


def _begin(state: State, content: OrgContent, claim: Claim) -> None:
    org, statement = content.heading.org, claim.statement
    if state.root.coordinator(org) is not None:
        raise Refused("id_taken", "org")
    root = _unused(state, content.root, "root")
    if len(state.vouching(org, statement.hash)) < VOUCHES_NEEDED:
        raise Refused("not_vouched_for", "org")
    check_signed(claim, {root: content.root})
    state.signing_keys.add(root)
    state.keep(
        Organisation(
            org,
            content.country,
            content.kind,
            content.root,
            content.recovery,
            content.heading.seq,
            statement.hash,
            first=statement.hash,
            vouches=state.vouches.pop(org),
        )
    )


def _change_keys(state: State, content: OrgContent, claim: Claim) -> None:
    """New root or recovery keys, by the root: 72 hours in which the recovery keys can undo it.

    The new root need not sign, so it is not set aside as used: otherwise whoever sees another's
    new key on its way to the log could take it from them by naming it as their own.
    """
    known = _own(state, content, while_frozen=False)
    if content.kind != known.kind:  # two coordinators gave their word for that kind
        raise Refused("kind_fixed", "kind")
    if known.pending is not None and known.pending.recover:
        raise Refused("recovery_pending", "org")
    if content.root != known.root:
        _unused(state, content.root, "root")
    elif content.recovery == known.recovery and known.pending is None:
        raise Refused("nothing_changed", "root")
    check_signed(claim, by_id([known.root]))
    counts_from = claim.t + CHANGE_DELAY
    pending = Pending(False, content.root, content.recovery, claim.t, counts_from)
    state.keep(replace(known, pending=pending))


def _refuse_second(known: Organisation, content: OrgContent, claim: Claim) -> None:
    """A second beginning for an id is refused; with another root, and signed, it is an alarm.

    The signature is asked for so that nobody without any key of the log can raise the alarm; nor
    can anybody by repeating the first beginning after the root has changed.
    """
    if content.root == known.root or claim.statement.hash == known.first:
        raise Refused("org_repeated", "org")
    found = signers(claim.statement)
    either = by_id([known.root, content.root])
    check_signed(claim, {signer: key for signer, key in either.items() if signer in found})
    raise RootChanged(known.id)


def _vouch(state: State, content: VouchContent, claim: Claim) -> None:
    org, coordinator = content.heading.org, _coordinator(state, content.heading.by)
    known = state.settled(org)
    if known is not None and content.of != known.first:
        raise Refused("other_organisation", "of")
    check_signed(claim, by_id([coordinator.key]))
    vouch = Vouch(coordinator.id, coordinator.country, content.of, claim.t, coordinator.key)
    before = known.vouches if known is not None else state.vouches.get(org, ())
    vouches = (*(one for one in before if one.coordinator != coordinator.id), vouch)
    if known is None:
        state.vouches[org] = vouches
    else:
        state.keep(replace(known, vouches=vouches))


def _device(state: State, content: DeviceContent, claim: Claim) -> None:
    known = _own(state, content, while_frozen=False)
    device = _unused(state, content.sign, "sign")
    pending = known.pending
    if content.sign == known.root or (pending is not None and content.sign == pending.root):
        raise Refused("key_already_used", "sign")
    admins = _admins_among(state, known, claim)
    check_signed(claim, {**by_id([known.root]), device: content.sign, **admins})
    at_once = admins or not known.has_had_device
    counts_from = claim.t if at_once else claim.t + DEVICE_DELAY
    if not known.has_had_device:
        state.keep(replace(known, has_had_device=True))
    state.add_device(
        Device(known.id, device, content.sign, content.role, content.nbf, content.naf, counts_from)
    )


def _keys(state: State, content: KeysContent, claim: Claim) -> None:
    known = _own(state, content, while_frozen=False)
    signatures = claim.statement.signatures
    device = state.devices.get(signatures[0].key_id) if signatures else None
    if device is None or device.org != known.id:
        raise Refused("not_a_device", "sigs")
    if not device.in_window(claim.t):
        raise Refused("outside_its_window", "sigs")
    if state.seen(device).silenced(claim.t):
        raise Refused("device_stopped", "sigs")
    if content.keys[-1].nbf > claim.t + WEEKS_AHEAD * WEEK:
        raise Refused("too_far_ahead", "keys")
    check_signed(claim, {device.key_id: device.public})
    _check_unpublished(state, device, content.keys)
    state.owners.update((key.key_id, (device.key_id, key)) for key in content.keys)
    state.devices[device.key_id] = replace(
        device, keys=content.keys, suites=content.suites, reads=content.reads
    )


def _listing(state: State, content: ListingContent, claim: Claim) -> None:
    heading = content.heading
    _check_may_list(state, content, claim)
    state.listings[heading.org] = Listed(heading.org, content.entry, heading.by, claim.t)


def _confirm(state: State, content: ConfirmContent, claim: Claim) -> None:
    heading, listed = content.heading, state.listings.get(content.heading.org)
    if listed is None or listed.entry != content.entry:
        raise Refused("other_entry", "entry")
    _check_may_list(state, content, claim)
    others = tuple(one for one in listed.confirmed_by if one != heading.by)
    state.listings[heading.org] = replace(
        listed, confirmed_by=(*others, heading.by), confirmed_at=claim.t
    )


def _check_may_list(state: State, content: ListingContent | ConfirmContent, claim: Claim) -> None:
    """Its own admin device; while it has no keys at all, one coordinator."""
    heading = content.heading
    if heading.by == heading.org:
        known = _own(state, content, while_frozen=False)
        admins = _admins_among(state, known, claim)
        if len(admins) != 1:
            raise Refused("wrong_signers", "sigs")
        check_signed(claim, admins)
        return
    coordinator = _coordinator(state, heading.by)
    if heading.org in state.organisations:
        raise Refused("speaks_for_itself", "by")
    check_signed(claim, by_id([coordinator.key]))


def _route(state: State, content: RouteContent, claim: Claim) -> None:
    heading = content.heading
    author = _coordinator(state, heading.by)
    if heading.org != heading.by:
        raise Refused("not_the_author", "org")
    if author.country not in content.pair:
        raise Refused("other_country", "pair")
    found = signers(claim.statement)
    one, other = (
        by_id(coordinator.key for coordinator in state.coordinators_of(country))
        for country in content.pair
    )
    if key_id(author.key) not in found or not (one.keys() & found and other.keys() & found):
        raise Refused("wrong_signers", "sigs")
    check_signed_by(claim, one | other, at_least=2)
    state.routes[content.pair] = content.mou


def _freeze(state: State, content: FreezeContent, claim: Claim) -> None:
    known = _organisation(state, content.heading.org)
    if content.suspected_since > claim.t:
        raise Refused("from_the_future", "suspected_since")
    if content.device is None:
        _freeze_organisation(state, known, content, claim)
        return
    _certified(state, known, content.device)
    if content.heading.by == known.id:
        _check_one_or_recovered(claim, _admins_among(state, known, claim), known)
    else:
        check_signed(claim, by_id([_coordinator(state, content.heading.by).key]))
    _stop(state, content.device, StopKind.FROZEN, since=content.suspected_since, content=content)


def _freeze_organisation(
    state: State, known: Organisation, content: FreezeContent, claim: Claim
) -> None:
    author, country = content.heading.by, ""
    if author == known.id:
        check_signed_by(claim, by_id(known.recovery), at_least=ANY_TWO)
    else:
        coordinator = _coordinator(state, author)
        check_signed(claim, by_id([coordinator.key]))
        country = coordinator.country
    made = Freeze(author, country, content.suspected_since, claim.t)
    state.keep(replace(known, freezes=_with_freeze(known.freezes, made)))


def _with_freeze(freezes: tuple[Freeze, ...], made: Freeze) -> tuple[Freeze, ...]:
    """Its author's freeze that lasts already can only be suspected since an earlier time."""
    own = [one for one in freezes if one.by == made.by]
    lasting = [one for one in own if one.thawed is None]
    if lasting and lasts(freezes, by_coordinators=bool(made.country)):
        if made.since >= lasting[-1].since:
            raise Refused("already_frozen", "org")
        earlier = replace(lasting[-1], since=made.since)
        return tuple(earlier if one is lasting[-1] else one for one in freezes)
    recent = any(one.t > made.t - FREEZE_AGAIN for one in own)
    if made.country and recent and not second_signature(freezes, made):
        raise Refused("frozen_lately", "by")
    return (*freezes, made)


def _thaw(state: State, content: ThawContent, claim: Claim) -> None:
    known = _own(state, content, while_frozen=True)
    if not known.frozen(claim.t):
        raise Refused("not_frozen", "org")
    found = signers(claim.statement)
    coordinators = by_id(one.key for one in state.root.coordinators if one.key != known.root)
    here = {key: public for key, public in coordinators.items() if key in found}
    if len(here) != 1:
        raise Refused("wrong_signers", "sigs")
    check_signed(claim, here | by_id([known.root]))
    state.keep(replace(known, freezes=thawed(known.freezes, claim.t)))


def _revoke(state: State, content: RevokeContent, claim: Claim) -> None:
    known = _own(state, content, while_frozen=True)
    _certified(state, known, content.device)
    _check_one_or_recovered(claim, by_id([known.root]), known)
    _stop(state, content.device, StopKind.REVOKED, since=claim.t, content=content)


def _recover(state: State, content: RecoverContent, claim: Claim) -> None:
    """A new root by two recovery keys; it cancels what the root has begun, never the reverse."""
    known = _own(state, content, while_frozen=True)
    new = _unused(state, content.root, "root")
    if content.root == known.root:
        raise Refused("key_already_used", "root")
    if new not in signers(claim.statement):
        raise Refused("wrong_signers", "sigs")
    allowed = {**by_id(known.recovery), new: content.root}
    check_signed_by(claim, allowed, at_least=ANY_TWO + 1)
    state.signing_keys.add(new)
    pending = Pending(True, content.root, content.recovery, claim.t, None)
    state.keep(replace(known, pending=pending))


def _root(state: State, content: RootContent, claim: Claim) -> None:
    heading, root = content.heading, state.root
    author = _coordinator(state, heading.by)
    if heading.org != heading.by:
        raise Refused("not_the_author", "org")
    if key_id(author.key) not in signers(claim.statement):
        raise Refused("wrong_signers", "sigs")
    coordinators = by_id(one.key for one in root.coordinators)
    check_signed_by(claim, coordinators, at_least=root.majority)
    following = next_root(root, content.file)
    if any(one.id in state.organisations for one in following.coordinators):
        raise Refused("id_taken", "coordinators")
    if any(key_id(one.key) in state.signing_keys for one in following.coordinators):
        raise Refused("key_already_used", "coordinators")
    state.root = following


_RULES: Final[Mapping[type[Content], Callable[[State, Any, Claim], None]]] = {
    OrgContent: _org,
    VouchContent: _vouch,
    DeviceContent: _device,
    KeysContent: _keys,
    ListingContent: _listing,
    ConfirmContent: _confirm,
    RouteContent: _route,
    FreezeContent: _freeze,
    ThawContent: _thaw,
    RevokeContent: _revoke,
    RecoverContent: _recover,
    RootContent: _root,
}


def _certified(state: State, known: Organisation, device: KeyId) -> None:
    found = state.devices.get(device)
    if found is None or found.org != known.id:
        raise Refused("not_a_device", "device")


def _stop(
    state: State,
    device: KeyId,
    kind: StopKind,
    *,
    since: int,
    content: FreezeContent | RevokeContent,
) -> None:
    """For good. A freeze after a revocation still says since when the device is doubtful.

    One after a freeze may only say that it is so for longer: otherwise a thief could freeze the
    stolen device himself, and what he sent with it would never be looked at again.
    """
    known = state.devices[device]
    before = state.seen(known).stopped
    stopped = Stopped(kind, since, content.heading.by, state.t)
    if before is not None and kind is StopKind.REVOKED:
        raise Refused("already_stopped", "device")
    if before is not None and before.kind is StopKind.FROZEN:
        if since >= before.since:
            raise Refused("already_stopped", "device")
        stopped = replace(before, since=since)
    state.devices[device] = replace(known, stopped=stopped)


def _check_one_or_recovered(claim: Claim, keys: Keys, known: Organisation) -> None:
    """Signed by just one of `keys`, or by two recovery keys."""
    one = keys.keys() & signers(claim.statement)
    if one:
        check_signed(claim, {key: keys[key] for key in sorted(one)[:1]})
    else:
        check_signed_by(claim, by_id(known.recovery), at_least=ANY_TWO)


def _unused(state: State, public: bytes, field: str) -> KeyId:
    """The id of a key that is nobody's root, device or coordinator's yet."""
    found = key_id(public)
    if found in state.signing_keys or state.is_coordinators(public):
        raise Refused("key_already_used", field)
    return found


def _check_unpublished(state: State, device: Device, keys: Iterable[EncryptionKey]) -> None:
    """A device may publish a key again for the same week, and nobody else's key at all.

    Otherwise one key would belong to two boxes, and a peer could have another's mail delivered to
    itself; it could not read it, but it would be missing there.
    """
    for key in keys:
        found = state.owners.get(key.key_id)
        if found is not None and found != (device.key_id, key):
            raise Refused("key_already_used", "keys")


def _admins_among(state: State, known: Organisation, claim: Claim) -> Keys:
    """The organisation's admin devices, in force at the log's time, that signed the claim."""
    found = (state.device(signature.key_id) for signature in claim.statement.signatures)
    return {
        device.key_id: device.public
        for device in found
        if device is not None and device.org == known.id
        if device.role is Role.ADMIN and device.in_force(claim.t)
    }
