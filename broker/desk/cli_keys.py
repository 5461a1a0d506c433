"""`rujukan keys`: who we are, our computers, and the peers we have phoned.

Each command says what will happen, asks, does it, and says what comes next. What needs the root or
recovery keys stands in `cli_sticks`, what stops a device or everybody in `cli_stopping`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from broker.desk import (
    asking,
    cli_sticks,
    cli_stopping,
    key_actions,
    shown,
    shown_keys,
    terminal,
)
from broker.desk.asking import passphrase_option, path_option, yes_option
from broker.desk.courier import tick
from broker.desk.enrolment import (
    Request,
    certified,
    check_place,
    read_request,
    request_device,
    write_file,
)
from broker.desk.errors import DeskError
from broker.desk.joining import join as join_network
from broker.desk.joining import unfinished
from broker.desk.keyfile import Cost, new_wrapping, open_key_file, write_key_file
from broker.desk.keyring import KeyRing, KeyRingFile, key_file, new_ring
from broker.desk.keys_standing import keys_standing
from broker.desk.passphrases import ask_terminal, choose_passphrase, read_passphrase
from broker.desk.peers import parse_org
from broker.desk.publishing import Network, publish
from broker.desk.recovery import known
from broker.desk.saying import write
from broker.desk.secretfile import Kind
from broker.desk.unlocking import Desk
from broker.mirror import DirectoryUnreachable
from broker.service.commands import Commands, emit, json_option
from contracts.contents import Role
from contracts.encoding import JsonInput
from contracts.errors import ContractError
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId, parse_mid
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.statements import Statement


@click.group(cls=Commands, invoke_without_command=True)
@json_option
@click.pass_context
def keys(context: click.Context, *, as_json: bool) -> None:
    """Who you are in the network, and everything that is done with keys.

    Without a command it shows them.
    """
    if context.invoked_subcommand is None:
        context.invoke(show, as_json=as_json)


@keys.command()
@json_option
def show(*, as_json: bool) -> None:
    """Our organisation, its fingerprint with a QR code, its devices, and what waits."""
    with asking.unlocked() as desk:
        round_ = tick(desk, eager=True)
        standing = keys_standing(desk)
        value = {**shown_keys.keys_json(standing), "troubles": shown.troubles_json(round_)}
        terminal.say(desk.root, as_json, value, shown_keys.keys_text(standing))
        terminal.warn(round_)


@keys.command()
@json_option
def join(*, as_json: bool) -> None:
    """Publish your organisation, once two coordinators have vouched for it.

    The desk does so by itself too, whenever it looks at the network.
    """
    with asking.unlocked() as desk:
        desk.log.sync()
        if unfinished(desk, desk.log.register):
            join_network(desk)
        tick(desk, eager=True)
        standing = keys_standing(desk)
        lines = shown_keys.joining_lines(standing) or (shown_keys.green_line(standing),)
        terminal.say(desk.root, as_json, shown_keys.keys_json(standing), "\n".join(lines))


@keys.command("new-device")
@click.option("--org", required=True, help="Your organisation's id.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@path_option("--out", "The request file, to be carried to the desk with the stick.")
@yes_option
@json_option
def new_device(*, org: str, role: str, out: Path, yes: bool, as_json: bool) -> None:
    """On a new computer: make its keys, and a request for the desk with the stick.

    Run it again where the request came too late: the keys stay as they are.
    """
    home = terminal.settings().home
    with asking.connected() as network:
        network.log.sync()
        register, now = network.log.register, network.clock()
        ours = known(register, parse_org(org)).id
        intent = key_actions.making_device(ours, role=Role(role), home=str(home))
        asking.agree(intent, yes=yes, as_json=as_json)
        ring = _ring_for(home, ours, register, now=now)
        request = request_device(ring, register, role=Role(role), now=now)
        write_file(out, request.render())
        _say_request(network, ring, out, as_json=as_json)


@keys.command()
@click.argument("request", type=click.Path(path_type=Path))
@path_option("--root-key-file", "The stick's file.")
@passphrase_option
@yes_option
@json_option
def approve(
    *, request: Path, root_key_file: Path, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Certify a new computer with the stick; with an admin desk it counts at once."""
    asked = read_request(request)
    with asking.desk_if_any() as place:
        place.log.sync()
        organisation = known(place.log.register, asked.org)
        check_place(asked, place.log.register, path=request)
        admin, now = _admin_key(place, asked.org), place.clock()
        intent = key_actions.approving(
            asked.content,
            digits=asked.digits,
            admin=admin is not None,
            first=not organisation.has_had_device,
            now=now,
        )
        asking.agree(intent, yes=yes, as_json=as_json)
        stick = asking.open_stick(
            root_key_file, Kind.ROOT, place, org=asked.org, passphrase_file=passphrase_file
        )
        root = asking.root_in_force(stick, organisation, path=root_key_file, now=now)
        _publish_request(place, asked, root, admin, path=request)
        value = {**shown_keys.intent_json(intent), "device": asked.device}
        text = "Certified. The new computer publishes its weekly keys when it is next opened."
        terminal.say(place.root, as_json, value, text)


@keys.command()
@click.argument("org")
@yes_option
@json_option
def checked(*, org: str, yes: bool, as_json: bool) -> None:
    """Mark a peer as checked: you have compared its digits by phone."""
    with asking.unlocked() as desk:
        with contextlib.suppress(DirectoryUnreachable):  # just then a phone call is what helps
            desk.log.sync()
        peer, now = known(desk.log.register, parse_org(org)), desk.clock()
        digits = fingerprint(peer.id, root=peer.root_at(now))
        intent = key_actions.marking_checked(peer.id, digits=digits)
        asking.agree(intent, yes=yes, as_json=as_json)
        with desk.store.writing() as rows:
            rows.mark_checked(peer.id, digits=digits, at=now)
        value: dict[str, JsonInput] = {"org": peer.id, "fingerprint": digits}
        terminal.say(desk.root, as_json, value, f"{peer.id} is marked as checked by phone today.")


@keys.command("ask-again")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--to", "org", required=True, help="The organisation that sent them.")
@yes_option
@json_option
def ask_again(*, ids: tuple[str, ...], org: str, yes: bool, as_json: bool) -> None:
    """Ask a peer for messages that cannot be opened any more, by their numbers."""
    wanted = [_message_id(one) for one in ids]
    with asking.unlocked() as desk:
        intent = key_actions.asking_again(parse_org(org), count=len(wanted))
        asking.agree(intent, yes=yes, as_json=as_json)
        write(desk, to=org, message_type="resend_request", body={"ids": [*wanted]})
        round_ = tick(desk, eager=True)
        value: dict[str, JsonInput] = {
            "asked": [*wanted],
            "troubles": shown.troubles_json(round_),
        }
        terminal.say(desk.root, as_json, value, "Asked. What they may send by itself comes soon.")
        terminal.warn(round_)


@keys.command()
@path_option("--key-file", "A stick's file; without it, this desk's own.", required=False)
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path, exists=True),
    help="Its first line is the new one; without it you are asked, twice.",
)
@yes_option
@json_option
def passphrase(
    *, key_file: Path | None, new_passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Change the passphrase of this desk, or of a stick."""
    settings = terminal.settings()
    intent = key_actions.changing_passphrase(str(key_file or settings.home))
    asking.agree(intent, yes=yes, as_json=as_json)
    now = read_passphrase(settings.passphrase_file, ask=ask_terminal, prompt="Passphrase until now")
    if key_file is not None:
        content = open_key_file(key_file, now).content
    else:
        ring_file = KeyRingFile.unlock(settings.home, now)
    new = choose_passphrase(new_passphrase_file, ask=ask_terminal, prompt="New passphrase")
    if key_file is not None:
        write_key_file(key_file, content, new_wrapping(new, Cost()))
    else:
        ring_file.change_passphrase(new, cost=Cost())
    emit(as_json, {"changed": True}, "Changed. Start other windows of this desk anew.")


for _command in (*cli_sticks.COMMANDS, *cli_stopping.COMMANDS):
    keys.add_command(_command)


def _ring_for(home: Path, org: OrgId, register: Register, *, now: int) -> KeyRing:
    """The keys of this computer: new ones, or those of a request that was made before."""
    file = terminal.settings().passphrase_file
    if not key_file(home).exists():
        chosen = choose_passphrase(file, ask=ask_terminal, prompt="Passphrase for this desk")
        ring = new_ring(net=register.net, org=org, now=now)
        return KeyRingFile.create(home, chosen, ring, cost=Cost()).ring
    known_one = read_passphrase(file, ask=ask_terminal, prompt="Passphrase of this desk")
    ring = KeyRingFile.unlock(home, known_one).ring
    if ring.net != register.net:
        raise DeskError("other_network", net=ring.net, other=register.net)
    if ring.org != org:
        raise DeskError("desk_of_another", home=str(home), org=ring.org)
    if register.device(org, ring.device) is not None:
        raise DeskError("already_in_force")
    return ring


def _say_request(network: Network, ring: KeyRing, out: Path, *, as_json: bool) -> None:
    digits = fingerprint(ring.org, root=ring.signing.public)
    value: dict[str, JsonInput] = {
        "org": ring.org,
        "device": ring.device,
        "fingerprint": digits,
        "request": str(out),
    }
    text = (
        f"Made. Take {out} to the desk with your organisation's stick, which runs `rujukan keys "
        f"approve {out.name} --root-key-file …`.\n"
        f"Digits of this computer's key, to be read out by phone: {digits}\n"
        "Then open this desk: it publishes its weekly keys by itself. Its keys lie in a folder "
        "of their own that backups leave out."
    )
    terminal.say(network.root, as_json, value, text)


def _admin_key(place: Desk | Network, org: OrgId) -> SigningKey | None:
    """This desk's key, where it is an admin of that organisation in force."""
    if isinstance(place, Network) or place.org != org:
        return None
    device = place.log.register.device(org, place.ring.device)
    if device is None or device.role is not Role.ADMIN or not device.in_force(place.clock()):
        return None
    return place.ring.signing


def _publish_request(
    place: Desk | Network,
    asked: Request,
    root: SigningKey,
    admin: SigningKey | None,
    *,
    path: Path,
) -> None:
    def signed(register: Register) -> Statement | None:
        if register.device(asked.org, asked.device) is not None:
            return None
        check_place(asked, register, path=path)  # its own signature fits no other place
        return certified(asked.statement, root, admin=admin)

    publish(place, signed)


def _message_id(text: str) -> str:
    try:
        return parse_mid(text.strip().lower())
    except ContractError:
        raise DeskError("not_a_message_id") from None
