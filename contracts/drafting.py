"""Making statements: one function for each type, from a heading and the keys that sign.

A statement whose keys are in several places begins as a draft: `signers` may be empty or too few,
and the others add theirs with `contracts.statements.countersigned`. Whether the signers suffice is
for `contracts.register` to say. This file reads no key from anywhere.

    heading = first_heading(net="demo.example", by=org, iat=now)
    admission = org_statement(heading, root=root, kind="ngo")
    heading = heading.following(admission, iat=now)
    device = device_statement(heading, root=root, device=device, role=Role.ADMIN, nbf=now, naf=end)
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.contents import EncryptionKey, Role
from contracts.encoding import JsonInput, b64encode
from contracts.identifiers import KeyId, country_of
from contracts.routing import RouteState
from contracts.signing import SUITE, SigningKey
from contracts.statements import Heading, Statement, render_heading, signed_statement


def org_statement(
    heading: Heading,
    *,
    root: SigningKey,
    kind: str,
    recovery: Sequence[bytes] = (),
    new_root: bytes | None = None,
) -> Statement:
    """An organisation, signed by its root in force. `recovery`: 0, 2 or 3 public keys.

    The first of an organisation begins it; a later one changes its recovery keys, or with
    `new_root` (32 bytes) its root.
    """
    body = render_heading("org", heading) | {
        "country": country_of(heading.org),
        "kind": kind,
        "root": b64encode(root.public if new_root is None else new_root),
        "recovery": [b64encode(public) for public in recovery],
    }
    return signed_statement(body, root)


def vouch_statement(heading: Heading, *signers: SigningKey, of: str) -> Statement:
    """A coordinator's word; `of` is the hash of the organisation's first statement."""
    return signed_statement(render_heading("vouch", heading) | {"of": of}, *signers)


def device_statement(
    heading: Heading,
    *,
    root: SigningKey,
    device: SigningKey,
    role: Role,
    nbf: int,
    naf: int,
    admin: SigningKey | None = None,
) -> Statement:
    """A device's certificate, signed by the root and by the device's own key.

    With an `admin` device's signature too it counts at once; without, 24 hours later (the first
    device of an organisation counts at once in any case).
    """
    signers = (root, device, *([admin] if admin else []))
    return device_draft(heading, *signers, device=device.public, role=role, nbf=nbf, naf=naf)


def device_draft(
    heading: Heading, *signers: SigningKey, device: bytes, role: Role, nbf: int, naf: int
) -> Statement:
    """A device's certificate where its keys are in several places: the stick, the new computer."""
    own: dict[str, JsonInput] = {"sign": b64encode(device), "role": role, "nbf": nbf, "naf": naf}
    return signed_statement(render_heading("device", heading) | own, *signers)


def keys_statement(
    heading: Heading,
    *,
    device: SigningKey,
    keys: Sequence[EncryptionKey],
    reads: Sequence[str],
    suites: Sequence[int] = (SUITE,),
) -> Statement:
    """The encryption keys a device can open, week by week; replaces what it published before.

    `reads` names the contract minors it understands, such as "case-referral/1.0".
    """
    weeks: list[JsonInput] = [
        {"pk": b64encode(key.public), "nbf": key.nbf, "naf": key.naf} for key in keys
    ]
    own: dict[str, JsonInput] = {"keys": weeks, "suites": list(suites), "reads": list(reads)}
    return signed_statement(render_heading("keys", heading) | own, device)


def listing_statement(heading: Heading, *signers: SigningKey, entry: str) -> Statement:
    """What the directory shows from now on; `entry` is the SHA-256 of the exact bytes, in hex."""
    return signed_statement(render_heading("listing", heading) | {"entry": entry}, *signers)


def confirm_statement(heading: Heading, *signers: SigningKey, entry: str) -> Statement:
    """That the entry shown was checked and is still true."""
    return signed_statement(render_heading("confirm", heading) | {"entry": entry}, *signers)


def route_statement(
    heading: Heading,
    *signers: SigningKey,
    pair: tuple[str, str],
    mou: RouteState,
    contracts: Sequence[str],
) -> Statement:
    """How far two countries have come; signed by a coordinator of each. `pair` in either order."""
    own: dict[str, JsonInput] = {
        "pair": sorted(pair),
        "mou": mou,
        "contracts": sorted(contracts),
    }
    return signed_statement(render_heading("route", heading) | own, *signers)


def freeze_statement(
    heading: Heading, *signers: SigningKey, suspected_since: int, device: KeyId | None = None
) -> Statement:
    """A device may not speak any more, or without one the whole organisation."""
    own: dict[str, JsonInput] = {"suspected_since": suspected_since}
    if device is not None:
        own["device"] = device
    return signed_statement(render_heading("freeze", heading) | own, *signers)


def thaw_statement(heading: Heading, *signers: SigningKey) -> Statement:
    """The end of an organisation's freeze; signed by its root and one coordinator."""
    return signed_statement(render_heading("thaw", heading), *signers)


def revoke_statement(heading: Heading, *signers: SigningKey, device: KeyId) -> Statement:
    """A device is given up; signed by the root or two recovery keys."""
    return signed_statement(render_heading("revoke", heading) | {"device": device}, *signers)


def recover_statement(
    heading: Heading, *signers: SigningKey, root: bytes, recovery: Sequence[bytes]
) -> Statement:
    """A new root and new recovery keys; signed by two recovery keys in force and the new root."""
    own: dict[str, JsonInput] = {
        "root": b64encode(root),
        "recovery": [b64encode(public) for public in recovery],
    }
    return signed_statement(render_heading("recover", heading) | own, *signers)


def root_statement(heading: Heading, *signers: SigningKey, file: bytes) -> Statement:
    """The network's next root file; `file` is the body that `contracts.root` reads."""
    return signed_statement(render_heading("root", heading) | {"file": b64encode(file)}, *signers)
