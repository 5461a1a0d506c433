"""`rujukan keys`: stopping a device or the whole organisation, and ending a freeze.

An admin desk freezes a device by itself; the stick revokes one; two recovery keys do either, by a
draft that is carried from one holder to the other; a coordinator can freeze too, from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from broker.desk import asking, drafts, key_actions, shown_keys, terminal
from broker.desk.asking import passphrase_option, path_option, yes_option
from broker.desk.errors import DeskError
from broker.desk.key_actions import Intent
from broker.desk.keys_standing import last_to_receive
from broker.desk.peers import parse_org
from broker.desk.publishing import Network, publish
from broker.desk.recovery import check_recovery_key, drafted, known
from broker.desk.secretfile import Kind
from broker.desk.stopping import freeze_device, our_device
from broker.service.commands import json_option
from contracts.drafting import freeze_statement, revoke_statement, thaw_statement
from contracts.identifiers import OrgId
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement

since_option = click.option(
    "--since",
    "since_text",
    required=True,
    metavar="TIME",
    help="From when on it may have been in others' hands: 2026-05-31 or 2026-05-31T14:30, UTC.",
)
recovery_option = path_option(
    "--recovery-key-file", "Sign with a recovery key; needs --draft.", required=False
)
draft_option = path_option("--draft", "The draft to be made, to be carried on.", required=False)
org_option = click.option("--org", default=None, help="The organisation, with a recovery key.")


@click.command("freeze-device")
@click.argument("device")
@since_option
@org_option
@recovery_option
@draft_option
@passphrase_option
@yes_option
@json_option
def freeze_device_command(
    *,
    device: str,
    since_text: str,
    org: str | None,
    recovery_key_file: Path | None,
    draft: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Freeze one device for good: lost, stolen, or taken over. DEVICE: how its id begins.

    From an admin desk, or with --recovery-key-file and --draft.
    """
    if recovery_key_file is not None:
        with asking.connected() as network:
            since = asking.since(since_text, now=network.clock())

            def frozen(heading: Heading, register: Register, key: SigningKey) -> Statement:
                found = our_device(register, heading.org, device)
                return freeze_statement(heading, key, suspected_since=since, device=found.key_id)

            _draft(network, org, recovery_key_file, draft, frozen, passphrase_file, yes, as_json)
        return
    with asking.unlocked() as desk:
        desk.log.sync()
        now = desk.clock()
        since = asking.since(since_text, now=now)
        found = our_device(desk.log.register, desk.org, device)
        organisation = known(desk.log.register, desk.org)
        intent = key_actions.freezing_device(
            found,
            own=found.key_id == desk.ring.device,
            last=last_to_receive(organisation.devices, found.key_id, now=now),
            since=since,
        )
        asking.agree(intent, yes=yes, as_json=as_json)
        freeze_device(desk, found.key_id, since=since)
        text = "Frozen. Phone the peers with running cases; `rujukan inbox` lists them."
        terminal.say(desk.root, as_json, shown_keys.intent_json(intent), text)


@click.command("freeze-organisation")
@since_option
@org_option
@path_option("--recovery-key-file", "Your recovery key.")
@path_option("--draft", "The draft to be made, for the holder of the second recovery key.")
@passphrase_option
@yes_option
@json_option
def freeze_organisation(
    *,
    since_text: str,
    org: str | None,
    recovery_key_file: Path,
    draft: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Freeze the whole organisation, by two recovery keys; a coordinator can do it alone."""
    with asking.connected() as network:
        since = asking.since(since_text, now=network.clock())

        def frozen(heading: Heading, _register: Register, key: SigningKey) -> Statement:
            return freeze_statement(heading, key, suspected_since=since)

        _draft(network, org, recovery_key_file, draft, frozen, passphrase_file, yes, as_json)


@click.command("revoke-device")
@click.argument("device")
@org_option
@path_option("--root-key-file", "The stick's file.", required=False)
@recovery_option
@draft_option
@passphrase_option
@yes_option
@json_option
def revoke_device(
    *,
    device: str,
    org: str | None,
    root_key_file: Path | None,
    recovery_key_file: Path | None,
    draft: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Give up one device for good, in good order. DEVICE: how its id begins.

    With the stick, or with --recovery-key-file and --draft.
    """
    if (root_key_file is None) == (recovery_key_file is None):
        raise click.UsageError("Give --root-key-file, or --recovery-key-file with --draft.")
    with asking.connected() as network:
        if recovery_key_file is not None:

            def revoked(heading: Heading, register: Register, key: SigningKey) -> Statement:
                found = our_device(register, heading.org, device)
                return revoke_statement(heading, key, device=found.key_id)

            _draft(network, org, recovery_key_file, draft, revoked, passphrase_file, yes, as_json)
        elif root_key_file is not None:
            _revoke(network, root_key_file, device, passphrase_file, yes=yes, as_json=as_json)


@click.command()
@path_option("--root-key-file", "The stick's file.")
@path_option("--draft", "The draft to be made, for a coordinator.")
@passphrase_option
@yes_option
@json_option
def thaw(
    *, root_key_file: Path, draft: Path, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Begin to end the organisation's freeze; a coordinator has to sign the draft too."""
    with asking.connected() as network:
        network.log.sync()
        register, now = network.log.register, network.clock()
        asking.check_absent(draft)
        secret = asking.open_stick(
            root_key_file, Kind.ROOT, network, passphrase_file=passphrase_file
        )
        organisation = known(register, secret.org)
        if not organisation.frozen(now):
            raise DeskError("not_frozen")
        root = asking.root_in_force(secret, organisation, path=root_key_file, now=now)
        intent = key_actions.thawing(organisation)
        asking.agree(intent, yes=yes, as_json=as_json)
        made = drafted(thaw_statement(register.next_heading(secret.org, iat=now), root))
        asking.write_new(draft, made.statement.render())
        drafts.say(network, made, draft, intent, as_json=as_json)


COMMANDS: Final = (freeze_device_command, freeze_organisation, revoke_device, thaw)


def _revoke(
    network: Network,
    root_key_file: Path,
    beginning: str,
    passphrase_file: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    network.log.sync()
    now = network.clock()
    secret = asking.open_stick(root_key_file, Kind.ROOT, network, passphrase_file=passphrase_file)
    organisation = known(network.log.register, secret.org)
    root = asking.root_in_force(secret, organisation, path=root_key_file, now=now)
    device = our_device(network.log.register, secret.org, beginning)
    last = last_to_receive(organisation.devices, device.key_id, now=now)
    intent = key_actions.revoking(device, own=False, last=last)
    asking.agree(intent, yes=yes, as_json=as_json)

    def revoked(register: Register) -> Statement:
        heading = register.next_heading(secret.org, iat=now)
        return revoke_statement(heading, root, device=device.key_id)

    publish(network, revoked)
    terminal.say(network.root, as_json, shown_keys.intent_json(intent), "Revoked.")


def _draft(
    network: Network,
    org: str | None,
    recovery_key_file: Path,
    path: Path | None,
    make: Callable[[Heading, Register, SigningKey], Statement],
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """A draft with the first of two recovery keys' signatures."""
    if path is None:
        raise click.UsageError("A recovery key signs a --draft, which the next holder signs too.")
    network.log.sync()
    register, now = network.log.register, network.clock()
    asking.check_absent(path)
    wanted: OrgId | None = None if org is None else parse_org(org)
    secret = asking.open_stick(
        recovery_key_file, Kind.RECOVERY, network, org=wanted, passphrase_file=passphrase_file
    )
    organisation = known(register, secret.org)
    check_recovery_key(secret, organisation, path=recovery_key_file, now=now)
    heading = register.next_heading(secret.org, iat=now)
    made = drafted(make(heading, register, secret.key))
    intent: Intent = drafts.intent_of(made, register, now=now)
    asking.agree(intent, yes=yes, as_json=as_json)
    asking.write_new(path, made.statement.render())
    drafts.say(network, made, path, intent, as_json=as_json)
