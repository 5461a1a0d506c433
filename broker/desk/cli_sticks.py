"""`rujukan keys`: what is done with the keys on sticks and on paper, root and recovery.

No desk is needed for any of it: after a total loss there is none. Each command says what will
happen, asks, does it, and says what comes next.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from broker.desk import asking, drafts, key_actions, shown_keys, terminal
from broker.desk.asking import passphrase_option, path_option, yes_option
from broker.desk.key_actions import Intent
from broker.desk.keyfile import open_key_file
from broker.desk.paper import paper_page, paper_text, qr_terminal, read_paper, spaced
from broker.desk.passphrases import ask_terminal, read_passphrase
from broker.desk.peers import parse_org
from broker.desk.publishing import Network, post, publish
from broker.desk.recovery import (
    check_count,
    draft_recovery,
    known,
    read_draft,
    read_public,
    render_public,
    sign_draft,
)
from broker.desk.secretfile import Kind, Secret, opened_secret, write_secret_file
from broker.service.commands import emit, json_option
from contracts.drafting import org_statement
from contracts.encoding import JsonInput
from contracts.fingerprint import fingerprint
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.standing import Organisation
from contracts.statements import Statement

TERMINAL: Final = "terminal"


@click.command()
@path_option("--key-file", "The stick's file: a root or a recovery key.")
@click.option(
    "--out",
    default=TERMINAL,
    show_default=True,
    help="An SVG file to print, or the terminal.",
)
@passphrase_option
@yes_option
@json_option
def paper(
    *, key_file: Path, out: str, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Write a key out for paper: text to be typed, and a QR code."""
    file = passphrase_file or terminal.settings().passphrase_file
    passphrase = read_passphrase(file, ask=ask_terminal, prompt="Passphrase of the stick")
    secret = opened_secret(open_key_file(key_file, passphrase).content, path=key_file)
    where = "this screen" if out == TERMINAL else out
    intent = key_actions.printing(secret.kind, secret.org, to=where)
    asking.agree(intent, yes=yes, as_json=as_json)
    value: dict[str, JsonInput] = {"org": secret.org, "kind": secret.kind.value}
    if out == TERMINAL:
        text = paper_text(secret)
        drawn = f"{spaced(text)}\n\n{qr_terminal(text.upper())}"
        emit(as_json, value | {"paper": text}, f"{drawn}\nCopy it by hand, then clear the screen.")
        return
    asking.write_new(Path(out), paper_page(secret, digits=_digits(secret)))
    text = f"Print {out}, then delete it. `rujukan keys restore-root` tries the paper out."
    emit(as_json, value | {"file": out}, text)


@click.command("restore-root")
@path_option("--root-key-file", "The file to be made.")
@path_option("--paper", "A file with the paper's text; without it you type it.", required=False)
@passphrase_option
@yes_option
@json_option
def restore_root(
    *,
    root_key_file: Path,
    paper: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a key file from its paper (a recovery key's paper too)."""
    with asking.connected() as network:
        typed = ask_terminal("Text of the paper") if paper is None else asking.read_text(paper)
        secret = read_paper(typed, net=network.root.net)
        digits = fingerprint(secret.org, root=secret.key.public)
        intent = key_actions.restoring(
            secret.kind, secret.org, digits=digits, to=str(root_key_file)
        )
        asking.agree(intent, yes=yes, as_json=as_json)
        chosen = asking.stick_passphrase(secret.kind, passphrase_file)
        write_secret_file(root_key_file, secret, chosen)
        value: dict[str, JsonInput] = {"org": secret.org, "fingerprint": digits}
        text = f"Made {root_key_file}. Compare its digits with others' screens: {digits}"
        terminal.say(network.root, as_json, value, text)


@click.command("recovery-key")
@click.option("--org", required=True, help="The organisation's id.")
@path_option("--key-file", "The secret file to be made, on the holder's own stick.")
@path_option("--public", "The public file to be made, for the organisation.")
@passphrase_option
@yes_option
@json_option
def recovery_key(
    *,
    org: str,
    key_file: Path,
    public: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Make one recovery key, for one holder."""
    with asking.connected() as network:
        secret = Secret(Kind.RECOVERY, network.root.net, parse_org(org), SigningKey.generate())
        asking.agree(key_actions.making_recovery_key(secret.org), yes=yes, as_json=as_json)
        chosen = asking.stick_passphrase(secret.kind, passphrase_file)
        write_secret_file(key_file, secret, chosen)
        asking.write_new(public, render_public(secret))
        value: dict[str, JsonInput] = {"org": secret.org, "key": secret.key.key_id}
        text = (
            f"Made. Hand {public} to the organisation, which names it with `rujukan keys "
            f"set-recovery`; `rujukan keys paper --key-file {key_file}` puts the key on paper."
        )
        terminal.say(network.root, as_json, value, text)


@click.command("set-recovery")
@click.option(
    "--public",
    "publics",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A holder's public file; two or three times, or never to have none.",
)
@path_option("--root-key-file", "The stick's file.")
@passphrase_option
@yes_option
@json_option
def set_recovery(
    *,
    publics: tuple[Path, ...],
    root_key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Name the recovery keys of your organisation; counts after 72 hours."""
    check_count(len(publics))
    with asking.connected() as network:
        secret = asking.open_stick(
            root_key_file, Kind.ROOT, network, passphrase_file=passphrase_file
        )
        named = [read_public(one, net=network.root.net, org=secret.org) for one in publics]

        def intent(organisation: Organisation, now: int) -> Intent:
            return key_actions.setting_recovery(organisation, new=len(named), now=now)

        def changed(organisation: Organisation, register: Register, now: int) -> Statement:
            return org_statement(
                register.next_heading(organisation.id, iat=now),
                root=secret.key,
                kind=organisation.kind,
                recovery=named,
            )

        _change(network, secret, root_key_file, intent, changed, yes=yes, as_json=as_json)


@click.command("new-root")
@path_option("--root-key-file", "The stick's file in force.")
@path_option("--new-root-key-file", "The new stick's file, to be made.")
@passphrase_option
@yes_option
@json_option
def new_root(
    *,
    root_key_file: Path,
    new_root_key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Change the root key as planned; counts after 72 hours, devices stay."""
    with asking.connected() as network:
        secret = asking.open_stick(
            root_key_file, Kind.ROOT, network, passphrase_file=passphrase_file
        )
        new = Secret(Kind.ROOT, secret.net, secret.org, SigningKey.generate())

        def intent(organisation: Organisation, now: int) -> Intent:
            return key_actions.changing_root(organisation, now=now)

        def changed(organisation: Organisation, register: Register, now: int) -> Statement:
            # On the stick before it is in the log: a root that nobody has would end us.
            if not new_root_key_file.exists():
                chosen = asking.stick_passphrase(Kind.ROOT, passphrase_file)
                write_secret_file(new_root_key_file, new, chosen)
            return org_statement(
                register.next_heading(organisation.id, iat=now),
                root=secret.key,
                kind=organisation.kind,
                recovery=_recovery_to_be(organisation),
                new_root=new.key.public,
            )

        asking.check_absent(new_root_key_file)
        _change(network, secret, root_key_file, intent, changed, yes=yes, as_json=as_json)


@click.group()
def recover() -> None:
    """A new root key by two recovery keys: start here, sign in another place, then post."""


@recover.command("start")
@click.option("--org", required=True, help="Your organisation's id.")
@path_option("--new-root-key-file", "The new stick's file, to be made.")
@path_option("--draft", "The draft to be made, for the holders of the recovery keys.")
@click.option(
    "--public",
    "publics",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A new recovery key's public file; without any, those in force stay.",
)
@passphrase_option
@yes_option
@json_option
def recover_start(
    *,
    org: str,
    new_root_key_file: Path,
    draft: Path,
    publics: tuple[Path, ...],
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Make the new root key, and the draft that two recovery keys have to sign."""
    check_count(len(publics))
    with asking.connected() as network:
        network.log.sync()
        register, now = network.log.register, network.clock()
        organisation = known(register, parse_org(org))
        named = tuple(
            read_public(one, net=network.root.net, org=organisation.id) for one in publics
        )
        new = Secret(Kind.ROOT, network.root.net, organisation.id, SigningKey.generate())
        made = draft_recovery(register, organisation.id, new=new.key, recovery=named, now=now)
        asking.check_absent(draft)
        intent = key_actions.recovering(organisation, now=now)
        asking.agree(intent, yes=yes, as_json=as_json)
        chosen = asking.stick_passphrase(Kind.ROOT, passphrase_file)
        write_secret_file(new_root_key_file, new, chosen)
        asking.write_new(draft, made.statement.render())
        drafts.say(network, made, draft, intent, as_json=as_json)


@click.command("sign")
@click.argument("draft", type=click.Path(path_type=Path))
@path_option("--recovery-key-file", "Your recovery key.")
@passphrase_option
@yes_option
@json_option
def sign(
    *,
    draft: Path,
    recovery_key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Sign a draft with your recovery key, and hand it on."""
    with asking.connected() as network:
        network.log.sync()
        register, now = network.log.register, network.clock()
        found = read_draft(draft, register)
        intent = drafts.intent_of(found, register, now=now)
        asking.agree(intent, yes=yes, as_json=as_json)
        secret = asking.open_stick(
            recovery_key_file,
            Kind.RECOVERY,
            network,
            org=found.org,
            passphrase_file=passphrase_file,
        )
        signed = sign_draft(found, secret, register, path=recovery_key_file, now=now)
        asking.write_over(draft, signed.statement.render())
        drafts.say(network, signed, draft, intent, as_json=as_json)


@click.command("post")
@click.argument("draft", type=click.Path(path_type=Path))
@yes_option
@json_option
def post_draft(*, draft: Path, yes: bool, as_json: bool) -> None:
    """Publish a draft that everybody needed has signed."""
    with asking.connected() as network:
        network.log.sync()
        register, now = network.log.register, network.clock()
        found = read_draft(draft, register)
        intent = drafts.intent_of(found, register, now=now)
        drafts.check_complete(found, register, now=now)
        asking.agree(intent, yes=yes, as_json=as_json)
        post(network, found.statement)
        text = "Published. `rujukan keys` shows when it counts."
        terminal.say(network.root, as_json, shown_keys.intent_json(intent), text)


recover.add_command(sign)
recover.add_command(post_draft)

COMMANDS: Final = (
    paper,
    restore_root,
    recovery_key,
    set_recovery,
    new_root,
    recover,
    sign,
    post_draft,
)


def _change(
    network: Network,
    secret: Secret,
    path: Path,
    intent_for: Callable[[Organisation, int], Intent],
    changed: Callable[[Organisation, Register, int], Statement],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """A change by the root in force: look, ask, publish, say what comes next."""
    network.log.sync()
    now = network.clock()
    organisation = known(network.log.register, secret.org)
    asking.root_in_force(secret, organisation, path=path, now=now)
    intent = intent_for(organisation, now)
    asking.agree(intent, yes=yes, as_json=as_json)

    def make(register: Register) -> Statement:
        return changed(known(register, secret.org), register, now)

    publish(network, make)
    text = (
        "Published. `rujukan keys` shows it as pending until it counts. If nobody of you made "
        "such a change and it is shown, phone a coordinator."
    )
    terminal.say(network.root, as_json, shown_keys.intent_json(intent), text)


def _recovery_to_be(organisation: Organisation) -> tuple[bytes, ...]:
    pending = organisation.pending
    return organisation.recovery if pending is None else pending.recovery


def _digits(secret: Secret) -> str:
    return fingerprint(secret.org, root=secret.key.public) if secret.kind is Kind.ROOT else ""
