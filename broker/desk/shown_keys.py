"""How `rujukan keys` and the status print our keys: one JSON value and one text each.

Nothing here decides or reads anything, and nothing in it is secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from broker.desk.errors import sentence
from broker.desk.key_actions import Intent, moment
from broker.desk.keys_standing import KeysStanding, OurDevice
from broker.desk.paper import fingerprint_code, qr_terminal
from contracts.encoding import JsonInput
from contracts.root import Coordinator
from contracts.standing import Freeze
from contracts.times import utc_text

Shown = dict[str, JsonInput]
# A year's end is said this long before, so that the stick can be fetched in good time.
SOON: Final = 30 * 86_400
# So much of a device's id is typed in the commands that are shown.
_TYPED: Final = 8

STATES: Final[Mapping[str, str]] = {
    "in_force": "in force",
    "waits": "certified; does not count yet",
    "not_yet": "its window has not begun",
    "over": "its window is over: make a new device",
    "paused": "silent, because the organisation is frozen",
    "frozen": "FROZEN for good",
    "revoked": "revoked",
}


def keys_json(standing: KeysStanding) -> Shown:
    """Our keys, for programs."""
    return {
        "org": standing.org,
        "fingerprint": standing.digits or None,
        "admitted": standing.admitted is not None,
        "green": standing.green,
        "vouched_countries": standing.countries,
        "vouched_until": _time(standing.vouched_until),
        "device": standing.here,
        "device_fingerprint": standing.here_digits,
        "devices": [_device_json(one) for one in standing.devices],
        "recovery_keys": standing.recovery,
        "frozen": standing.frozen,
        "freezes": [_freeze_json(one) for one in standing.freezes],
        "pending": _pending_json(standing),
        "checked": [{"org": one.peer, "at": utc_text(one.at)} for one in standing.checked],
    }


def keys_text(standing: KeysStanding) -> str:
    """Our keys, for people, with the QR code of the fingerprint."""
    lines = [
        f"Your organisation: {standing.org} ({standing.kind})",
        f"Root file of the network: {standing.root_hash}",
        *_fingerprint(standing),
        "",
        *joining_lines(standing),
        *_uncounted(standing),
        *_devices(standing),
        "",
        *_recovery(standing),
        *_freezes(standing.freezes, frozen=standing.frozen),
        *_vouched(standing),
        *(f"Checked by phone: {one.peer}, {moment(one.at)}" for one in standing.checked),
    ]
    return "\n".join(lines)


def joining_lines(standing: KeysStanding) -> tuple[str, ...]:
    """What is still needed until this desk can send and receive; nothing once it can."""
    if standing.admitted is None:
        return tuple(_waiting(standing))
    if not standing.certified:
        return (
            "This computer is not certified yet. Take its request file to a desk of your "
            "organisation with the stick (`rujukan keys approve`), and read out the digits of its "
            f"key by phone: {standing.here_digits}",
        )
    [here] = [one for one in standing.devices if one.here]
    if here.state == "waits":
        return (f"This computer is certified and counts from {moment(here.device.counts_from)}.",)
    if here.state != "in_force":
        return (f"This computer: {STATES[here.state]}.",)
    if here.weeks < 0:
        return ("This computer has no key for this week yet; it publishes them by itself.",)
    return ()


def green_line(standing: KeysStanding) -> str:
    """What the status says once everything is there, else nothing."""
    return f"GREEN: {standing.org} can send and receive on this computer." if standing.green else ""


def status_text(standing: KeysStanding) -> str:
    """What the status says of our keys: green, or what is awaited and from whom."""
    lines = (*joining_lines(standing), green_line(standing), *_warnings(standing))
    return "\n".join(one for one in lines if one)


def status_json(standing: KeysStanding) -> Shown:
    """The same for programs."""
    return {
        "admitted": standing.admitted is not None,
        "green": standing.green,
        "fingerprint": standing.digits or None,
        "vouched_countries": standing.countries,
        "awaited": list(joining_lines(standing)),
        "frozen": standing.frozen,
        "freezes": [_freeze_json(one) for one in standing.freezes],
        "pending": _pending_json(standing),
        "uncounted_devices": [_device_json(one) for one in standing.uncounted],
    }


def _warnings(standing: KeysStanding) -> Iterable[str]:
    """What nobody must overlook, whoever looks at the status."""
    yield from _freezes(standing.freezes, frozen=standing.frozen)
    yield from _uncounted(standing)
    yield from _pending(standing)


def intent_json(intent: Intent) -> Shown:
    """What an action will do, for programs."""
    effects: list[JsonInput] = list(intent.sentences)
    return {"action": intent.title, "effects": effects, "counts_from": _time(intent.counts_from)}


def _waiting(standing: KeysStanding) -> Iterable[str]:
    if not standing.digits:
        yield sentence("not_admitted")
        return
    if standing.countries >= 2:
        yield "Two coordinators have vouched for you; this desk publishes itself now."
        return
    yield f"WAITING for two vouches; so far: {standing.countries}."
    yield f"Read these digits by phone: {standing.digits}"
    yield (
        "To two coordinators of different countries, who phone you at a number that they have from "
        "elsewhere; they need your admission file too. Coordinators of this network:"
    )
    yield from (f"  {line}" for line in _coordinators(standing))


def _coordinators(standing: KeysStanding) -> Iterable[str]:
    """Those of our own country first: they can read our papers."""
    ours = standing.org[:2]

    def nearness(one: Coordinator) -> tuple[bool, str]:
        return one.country != ours, one.id

    for one in sorted(standing.coordinators, key=nearness):
        yield f"{one.country}  {one.id}"


def _fingerprint(standing: KeysStanding) -> Iterable[str]:
    if not standing.digits:
        return
    yield f"Fingerprint, to compare by phone: {standing.digits}"
    yield qr_terminal(fingerprint_code(standing.org, standing.digits)).rstrip("\n")


def _devices(standing: KeysStanding) -> Iterable[str]:
    if standing.devices:
        yield "Devices:"
    for one in standing.devices:
        yield f"  {one.device.key_id}  {one.device.role:<10}  {_device_line(one)}"
        if one.state == "in_force" and one.device.naf - standing.now < SOON:
            yield "    It ends soon: make it anew with `rujukan keys new-device` before."


def _device_line(one: OurDevice) -> str:
    here = " (this computer)" if one.here else ""
    state = STATES[one.state]
    if one.state == "waits":
        state = f"{state}; from {moment(one.device.counts_from)}"
    keys = f", keys {max(one.weeks, 0)} weeks ahead" if one.state == "in_force" else ""
    return f"{state}{keys}, until {moment(one.device.naf)}{here}"


def _recovery(standing: KeysStanding) -> Iterable[str]:
    if standing.admitted is None:
        return
    count = standing.recovery
    yield (
        f"Recovery keys: {count}; any two of them can act."
        if count
        else "Recovery keys: none. If the root key is lost, your organisation is admitted anew: "
        "`rujukan keys recovery-key` makes one."
    )
    yield from _pending(standing)


def _pending(standing: KeysStanding) -> Iterable[str]:
    pending = standing.pending
    if pending is None:
        return
    who = "two recovery keys" if pending.recover else "the root key"
    when = (
        f"counts from {moment(pending.counts_from)}"
        if pending.counts_from is not None
        else "waits until the freeze has ended"
    )
    yield f"PENDING change of keys by {who}: {when}. If nobody of you made it, phone a coordinator."
    yield f"  {_STOPPING[pending.recover]}"
    if standing.pending_digits:
        yield f"  New fingerprint then: {standing.pending_digits}"
    yield f"  Recovery keys then: {len(pending.recovery)}"


# By whether the recovery keys made the change.
_STOPPING: Final[Mapping[bool, str]] = {
    False: "Two recovery keys cancel it by a recovery: `rujukan keys recover start`.",
    True: "The root key cannot cancel it. A coordinator's freeze stops its clock; two recovery "
    "keys can begin another recovery.",
}


def _uncounted(standing: KeysStanding) -> Iterable[str]:
    for one in standing.uncounted:
        device = one.device
        yield (
            f"ALARM: a further computer with the role {device.role} was certified by the stick "
            f"alone: {device.key_id}. It counts from {moment(device.counts_from)}."
        )
        yield (
            "  If nobody of you did this, somebody has your stick. On an admin desk: `rujukan keys "
            f"freeze-device {device.key_id[:_TYPED]} --since …`; without one, two recovery keys or "
            "a coordinator by phone freeze it. Then `rujukan keys recover start`."
        )


def _freezes(freezes: Iterable[Freeze], *, frozen: bool) -> Iterable[str]:
    for one in freezes:
        state = "FROZEN" if frozen else "A freeze of 72 hours that is over"
        yield f"{state}: by {one.by} at {moment(one.t)}, suspected since {moment(one.since)}."


def _vouched(standing: KeysStanding) -> Iterable[str]:
    until = standing.vouched_until
    if until is None:
        return
    if until < standing.now + SOON:
        yield (
            f"Vouched for until {moment(until)}: ask two coordinators to renew their word."
            if until
            else "Nobody vouches for you any more: ask two coordinators to renew their word."
        )
    else:
        yield f"Vouched for until {moment(until)}."


def _device_json(one: OurDevice) -> Shown:
    device = one.device
    return {
        "device": device.key_id,
        "role": device.role.value,
        "state": one.state,
        "counts_from": utc_text(device.counts_from),
        "until": utc_text(device.naf),
        "weeks_ahead": one.weeks,
        "here": one.here,
    }


def _pending_json(standing: KeysStanding) -> Shown | None:
    pending = standing.pending
    if pending is None:
        return None
    return {
        "by": "recovery" if pending.recover else "root",
        "counts_from": _time(pending.counts_from),
        "fingerprint": standing.pending_digits or None,
        "recovery_keys": len(pending.recovery),
    }


def _freeze_json(one: Freeze) -> Shown:
    return {"by": one.by, "at": utc_text(one.t), "suspected_since": utc_text(one.since)}


def _time(seconds: int | None) -> str | None:
    return None if not seconds else utc_text(seconds)
