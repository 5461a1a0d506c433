"""Drafts as people meet them: what one will do, whose signature it still needs, what to do next.

What a draft is stands in `broker.desk.recovery`. Nothing here signs or publishes.
"""

from __future__ import annotations

from pathlib import Path

from broker.desk import key_actions, shown_keys, terminal
from broker.desk.errors import DeskError
from broker.desk.key_actions import Intent
from broker.desk.keys_standing import last_to_receive
from broker.desk.publishing import Network
from broker.desk.recovery import Draft, known, missing, recovery_signers
from contracts.contents import FreezeContent, RecoverContent, RevokeContent
from contracts.encoding import JsonInput
from contracts.fingerprint import fingerprint
from contracts.identifiers import KeyId
from contracts.register import Register
from contracts.rules import ANY_TWO
from contracts.standing import Device, Organisation


def intent_of(draft: Draft, register: Register, *, now: int) -> Intent:
    """What the draft will do once it is published, for whoever is asked to sign it."""
    content, organisation = draft.content, known(register, draft.org)
    if isinstance(content, RecoverContent):
        return key_actions.recovering(
            organisation, now=now, digits=fingerprint(draft.org, root=content.root)
        )
    if isinstance(content, RevokeContent):
        device, last = _device(organisation, content.device, now=now)
        return key_actions.revoking(device, own=False, last=last)
    if isinstance(content, FreezeContent) and content.device is not None:
        device, last = _device(organisation, content.device, now=now)
        return key_actions.freezing_device(
            device, own=False, last=last, since=content.suspected_since
        )
    if isinstance(content, FreezeContent):
        return key_actions.freezing_organisation(draft.org, since=content.suspected_since)
    return key_actions.thawing(organisation)


def check_complete(draft: Draft, register: Register, *, now: int) -> None:
    """Refuse what the log would refuse, naming what is missing. Raises `DeskError`."""
    rule = missing(draft, register, now=now)
    if rule == "wrong_signers":
        raise DeskError("signatures_missing")
    if rule:
        raise DeskError("statement_refused", rule=rule.replace("_", " "))


def say(network: Network, draft: Draft, path: Path, intent: Intent, *, as_json: bool) -> None:
    """What has been signed, and where the draft goes next."""
    register, now = network.log.register, network.clock()
    complete = not missing(draft, register, now=now)
    signed = recovery_signers(draft, register, now=now)
    value: dict[str, JsonInput] = {
        **shown_keys.intent_json(intent),
        "draft": str(path),
        "signatures": len(draft.signers),
        "complete": complete,
    }
    if complete:
        text = f"Everybody needed has signed {path}. Publish it: `rujukan keys post {path}`."
    elif signed or isinstance(draft.content, RecoverContent):
        text = (
            f"{signed} of {ANY_TWO} recovery keys have signed {path}. Carry it to the next holder, "
            f"who runs `rujukan keys sign {path.name} --recovery-key-file …`. Until it is "
            "published, nothing else may be published for this organisation, or it begins anew."
        )
    else:
        text = (
            f"Carry {path} to a coordinator, who signs it with `rujukan coordinator sign` after "
            f"phoning you; then publish it: `rujukan keys post {path}`."
        )
    terminal.say(network.root, as_json, value, text)


def _device(organisation: Organisation, device: KeyId, *, now: int) -> tuple[Device, bool]:
    found = next((one for one in organisation.devices if one.key_id == device), None)
    if found is None:
        raise DeskError("no_such_device", device=device)
    return found, last_to_receive(organisation.devices, device, now=now)
