"""What an action on keys will do, in sentences, before anybody says yes to it.

Pure: facts and `now` in, an `Intent` out. Who can do what afterwards, when it counts, what cannot
be undone, whom to phone. Nothing here signs, publishes or asks; whether the network's rules allow
the action is theirs to say. Times are Unix seconds; a delay begins when the log has the statement.

    intent = freezing_device(device, own=False, now=now)
    click.echo(intent.text)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.contents import DeviceContent, Role
from contracts.identifiers import OrgId
from contracts.rules import DEVICE_DELAY
from contracts.standing import CHANGE_DELAY, Device, Organisation

_FINAL: Final = "This cannot be undone."
_DELAY: Final = "72 hours"


@dataclass(frozen=True, slots=True)
class Intent:
    """One action: its title, what it does, how it can be undone, whom to phone.

    `counts_from` is about when it takes effect, None where that is at once or never.
    """

    title: str
    effects: tuple[str, ...]
    undo: str
    phone: str = ""
    counts_from: int | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it but the title, in the order of reading."""
        when = f"It counts from about {moment(self.counts_from)}." if self.counts_from else ""
        return tuple(one for one in (*self.effects, when, self.undo, self.phone) if one)

    @property
    def text(self) -> str:
        """For a terminal."""
        return "\n".join([self.title, *(f"  - {one}" for one in self.sentences)])


def approving(request: DeviceContent, *, digits: str, admin: bool, first: bool, now: int) -> Intent:
    """A further computer; `admin`: a desk with that role signs besides the stick."""
    at_once = admin or first
    may = "read your organisation's mail and speak for it"
    if request.role is Role.ADMIN:
        may += ", change its listing, and freeze its devices"
    return Intent(
        title=f"Certify a new device with the role {request.role} for {request.heading.org}.",
        effects=(
            f"Digits of its key, to be read to you by the person at that computer: {digits}",
            f"It may {may} until {moment(request.naf)}.",
            "It counts at once, because an admin desk signs too."
            if admin
            else "It counts at once, because it is your first device."
            if first
            else "Without an admin desk's signature it counts after 24 hours.",
        ),
        undo="A device can be frozen or revoked for good, and does not come back.",
        phone="Do not go on unless the digits agree, group by group, in a call that you began.",
        counts_from=None if at_once else now + DEVICE_DELAY,
    )


def setting_recovery(organisation: Organisation, *, new: int, now: int) -> Intent:
    """Recovery keys named, changed, or given up."""
    named = (
        f"Any two of the {new} new recovery keys together can replace your root key, freeze you "
        "and revoke your devices."
        if new
        else "Nobody can replace your root key any more: if it is lost, you are admitted anew."
    )
    return Intent(
        title=f"Change the recovery keys of {organisation.id}.",
        effects=(named, *_instead(organisation)),
        undo="Until it counts, this root key can make another change instead"
        + (", and the recovery keys in force can recover." if organisation.recovery else "."),
        phone="Tell the holders of the old and the new recovery keys.",
        counts_from=now + CHANGE_DELAY,
    )


def changing_root(organisation: Organisation, *, now: int) -> Intent:
    """A planned change of the root key."""
    return Intent(
        title=f"Change the root key of {organisation.id}.",
        effects=(
            f"After {_DELAY} the new root key speaks for your organisation and the old one does "
            "not. Your devices and your recovery keys stay.",
            "Your fingerprint changes: others' desks show new digits.",
            *_instead(organisation),
        ),
        undo="Until it counts, keep the old stick: it still speaks for you, and can make another "
        "change instead."
        + (" Two recovery keys can cancel it by recovering." if organisation.recovery else ""),
        phone="Tell the coordinators and your peers, and read them the new digits.",
        counts_from=now + CHANGE_DELAY,
    )


def recovering(organisation: Organisation, *, now: int, digits: str = "") -> Intent:
    """A new root after total loss, or against a stolen stick; `digits` of the new root key."""
    return Intent(
        title=f"Recover {organisation.id} with a new root key.",
        effects=(
            *([f"New fingerprint: {digits}"] if digits else []),
            f"After {_DELAY}, not counting time under a coordinator's freeze, the new root key and "
            "its recovery keys replace the old ones.",
            "All devices that the old root certified end then; the new one certifies new ones.",
            "What the old root key has begun to change is cancelled, and it cannot cancel this.",
        ),
        undo="Two recovery keys can begin another recovery until it counts.",
        phone="Phone a coordinator now: where a key was stolen, they can freeze the organisation "
        "meanwhile. Then tell your peers the new digits.",
        counts_from=now + CHANGE_DELAY,
    )


def freezing_device(device: Device, *, own: bool, last: bool, since: int) -> Intent:
    """A device that was lost, stolen or taken over; `last`: nobody else of us can receive."""
    return Intent(
        title=f"Freeze the device {device.key_id} ({device.role}) of {device.org}, for good.",
        effects=(
            "The hub lets it in no more, and every desk rejects what it has not stored yet of it, "
            "whatever its date.",
            f"What others have stored of it since {moment(since)} is flagged as doubtful there.",
            *(["This is the computer you sit at: it can do nothing afterwards."] if own else []),
            "No other device of yours can receive: mail to you waits, and new mail cannot be sent "
            "to you."
            if last
            else "Your other devices go on.",
        ),
        undo=f"{_FINAL} A frozen device needs new keys: `rujukan keys new-device`.",
        phone="Phone the peers with running cases; `rujukan inbox` lists them.",
    )


def freezing_organisation(org: OrgId, *, since: int) -> Intent:
    """All of us, by two recovery keys."""
    return Intent(
        title=f"Freeze the whole organisation {org}.",
        effects=(
            "None of its devices may speak or be let in, and nobody can send it anything.",
            f"What others have stored of it since {moment(since)} is flagged as doubtful there.",
        ),
        undo="It ends only when the root key and a coordinator sign a thaw.",
        phone="Phone a coordinator, and the peers with running cases: they have to call you.",
    )


def revoking(device: Device, *, own: bool, last: bool) -> Intent:
    """A device given up in good order."""
    return Intent(
        title=f"Revoke the device {device.key_id} ({device.role}) of {device.org}, for good.",
        effects=(
            "The hub lets it in no more, and every desk rejects what it has not stored yet of it.",
            "What was stored of it stays undoubted. If it was stolen or taken over, freeze it "
            "instead.",
            *(["This is the computer you sit at: it can do nothing afterwards."] if own else []),
            *(["No other device of yours can receive."] if last else []),
        ),
        undo=_FINAL,
        phone="Nobody has to be phoned.",
    )


def thawing(organisation: Organisation) -> Intent:
    """The end of our freeze."""
    return Intent(
        title=f"End the freeze of {organisation.id}.",
        effects=(
            "Its devices may speak and receive again; devices frozen one by one stay frozen.",
            "Whoever holds a device or a stick that was the reason for the freeze can act again: "
            "revoke those devices first.",
        ),
        undo="A coordinator or two recovery keys can freeze it again.",
        phone="It counts only when one coordinator has signed it too: phone one and take the draft "
        "there.",
    )


def printing(kind: str, org: OrgId, *, to: str) -> Intent:
    """A secret on paper."""
    return Intent(
        title=f"Write the secret {kind} key of {org} out, without any passphrase.",
        effects=(
            f"Whoever reads it, on {to}, has the key: look who stands behind you, and which "
            "printer it goes to.",
            "A printer may keep a copy, and a screen its history: a printer without network, and "
            "afterwards delete the file.",
        ),
        undo="A key that was read by others stays theirs until it is changed in the log.",
    )


def making_device(org: OrgId, *, role: Role, home: str) -> Intent:
    """Keys of a further computer, and its request."""
    return Intent(
        title=f"Make keys for a new device of {org} with the role {role}, in {home}.",
        effects=(
            "Nothing is published: the request file holds public keys only.",
            "The desk with your organisation's stick certifies it, after you have read it the "
            "digits of this key by phone.",
        ),
        undo="Delete the folder to give it up; nobody knows this key yet.",
    )


def making_recovery_key(org: OrgId) -> Intent:
    """One holder's recovery key."""
    return Intent(
        title=f"Make a recovery key for {org}.",
        effects=(
            "Any two recovery keys together can replace the organisation's root key: each belongs "
            "with another person, in another place, and never on the same stick as the root key.",
            "It counts 72 hours after the organisation has named its public file in the log.",
        ),
        undo="Nothing is published; delete the files to give it up.",
    )


def restoring(kind: str, org: OrgId, *, digits: str, to: str) -> Intent:
    """A key file made anew from its paper."""
    return Intent(
        title=f"Write the {kind} key of {org} from its paper to {to}.",
        effects=(f"Digits of this key: {digits}", "Nothing is published."),
        undo="The paper stays good; delete the file to give it up.",
    )


def asking_again(org: OrgId, *, count: int) -> Intent:
    """Mail that cannot be opened any more."""
    return Intent(
        title=f"Ask {org} for {count} of its messages once more.",
        effects=(
            "Their desk sends by itself only what nobody has confirmed as stored and is under 14 "
            "days old. For anything else a caseworker there has to phone you first.",
        ),
        undo="An asking cannot be taken back; it tells nothing but the messages' numbers.",
    )


def marking_checked(org: OrgId, *, digits: str) -> Intent:
    """A peer's digits compared by phone."""
    return Intent(
        title=f"Mark {org} as checked by phone.",
        effects=(
            f"Digits: {digits}",
            "For 7 days you can write to it even where the directory has not been reached.",
        ),
        undo="It holds for these digits only: with another root key it is void.",
        phone="Say yes only if a person you reached at a number known before has read you these "
        "digits.",
    )


def changing_passphrase(path: str) -> Intent:
    """Another passphrase for a key file."""
    return Intent(
        title=f"Change the passphrase of {path}.",
        effects=(
            "From now on only the new one opens this file. Nobody can tell you a forgotten one.",
            "Copies that somebody has already made still open with the old one.",
        ),
        undo="It can be changed again.",
    )


def moment(seconds: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _instead(organisation: Organisation) -> tuple[str, ...]:
    if organisation.pending is None:
        return ()
    return ("A change that has not counted yet is replaced by this one.",)
