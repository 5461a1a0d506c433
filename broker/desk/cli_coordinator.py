"""`rujukan coordinator`: the commands of a coordinator, on their own computer.

Each says what will happen, asks, does it, and says what comes next. The key stays in one file
under a passphrase; it is opened first, so that nobody answers questions for nothing. No desk is
needed, only a folder for this computer's own verified copy of the log.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from broker.desk import asking, terminal
from broker.desk import coordinator as work
from broker.desk import coordinator_actions as actions
from broker.desk.asking import passphrase_option, path_option, yes_option
from broker.desk.cli_listing import door
from broker.desk.client import Unreachable
from broker.desk.coordinator import QUESTIONS, Applicant, Coordinator, Entered, ListingPlan
from broker.desk.errors import DeskError
from broker.desk.listing import Standing, known_entry, standing
from broker.desk.passphrases import ask_terminal, choose_passphrase
from broker.desk.peers import parse_org
from broker.desk.secretfile import Kind, write_secret_file
from broker.desk.settings import PassphraseSettings
from broker.service.commands import Commands, emit, json_option
from broker.service.failures import Failure
from broker.service.settings import read_settings
from contracts.encoding import JsonInput
from contracts.fingerprint import fingerprint
from contracts.identifiers import country_of
from contracts.register import Register

F = TypeVar("F", bound=Callable[..., Any])


def key_option(command: F) -> F:
    """The options of every command that signs."""
    return passphrase_option(path_option("--key-file", "The coordinator's key.")(command))


@click.group(cls=Commands)
def coordinator() -> None:
    """Vouch for organisations, enter listings, freeze, and sign with other coordinators."""


@coordinator.command()
@click.option("--country", required=True, help="Two letters, such as my.")
@click.option("--net", required=True, help="The network's name, as its root file says it.")
@path_option("--key-file", "Where to write the secret key: on a stick kept offline.")
@path_option("--out", "Where to write the public file, for the network's root file.")
@passphrase_option
@json_option
def init(
    *,
    country: str,
    net: str,
    key_file: Path,
    out: Path,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Make a coordinator's key, and the public file that the root file takes up."""
    secret = work.new_coordinator(country, net)
    # A desk's settings need the root file, which comes after this key.
    file = passphrase_file or read_settings(PassphraseSettings, os.environ).passphrase_file
    prompt = f"Passphrase for the {Kind.COORDINATOR} key"
    passphrase = choose_passphrase(file, ask=ask_terminal, prompt=prompt)
    write_secret_file(key_file, secret, passphrase)
    asking.write_new(out, work.render_public(secret))
    digits = fingerprint(secret.org, root=secret.key.public)
    value: dict[str, JsonInput] = {
        "coordinator": secret.org,
        "country": country_of(secret.org),
        "net": net,
        "fingerprint": digits,
        "key_file": str(key_file),
        "public_file": str(out),
    }
    text = (
        f"Your id as a coordinator: {secret.org}\n"
        f"Fingerprint, to compare by phone: {digits}\n"
        f"Hand {out} to whoever prepares the root file, and read them the digits on the phone.\n"
        f"Keep {key_file} offline: whoever has it and its passphrase speaks as you."
    )
    emit(as_json, value, text)


@coordinator.command()
@click.argument("admission")
@key_option
@yes_option
@json_option
def vouch(
    *, admission: str, key_file: Path, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Give your word for the organisation of an ADMISSION file, or again for one by its id."""
    with working(key_file, passphrase_file) as ours:
        applicant = _applicant(admission, ours.register)
        asking.agree(actions.vouching(applicant), yes=yes, as_json=as_json)
        for question in () if yes else QUESTIONS:
            _ask(question)
        work.vouch(ours, applicant, now=ours.network.clock())
        value: dict[str, JsonInput] = {
            "org": applicant.org,
            "of": applicant.of,
            "fingerprint": fingerprint(applicant.org, root=applicant.root),
        }
        text = (
            f"You have vouched for {applicant.org}. With a coordinator of another country it is"
            " admitted; its desk then goes on by itself."
        )
        terminal.say(ours.network.root, as_json, value, text)


@coordinator.command("list")
@click.argument("entries", type=click.Path(path_type=Path))
@key_option
@yes_option
@json_option
def list_entries(
    *, entries: Path, key_file: Path, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """List the ENTRIES that an import prepared, signed by you; goes on where it was cut off."""
    found = work.read_entries(entries)
    with working(key_file, passphrase_file) as ours, door() as directory:
        plan = work.plan_listings(found, ours.register, ours.id)
        done = Entered()
        if plan.to_enter:
            asking.agree(actions.entering(plan), yes=yes, as_json=as_json)
            done = work.enter_listings(
                ours,
                directory,
                plan.to_enter,
                clock=ours.network.clock,
                progress=_quiet if as_json else _progress,
            )
        terminal.say(
            ours.network.root, as_json, _entered_json(plan, done), _entered_text(plan, done)
        )


@coordinator.command()
@click.argument("orgs", metavar="ORG...", nargs=-1, required=True)
@key_option
@yes_option
@json_option
def confirm(
    *,
    orgs: tuple[str, ...],
    key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Say that the entry listed for ORG, which is shown first, is true; one after the other."""
    wanted = [parse_org(org) for org in orgs]
    with working(key_file, passphrase_file) as ours, door() as directory:
        for org in wanted:
            _confirm(ours, standing(ours.register, directory, org), yes=yes, as_json=as_json)


def _confirm(ours: Coordinator, found: Standing, *, yes: bool, as_json: bool) -> None:
    if found.listed.unconfirmed and found.listed.by == ours.id:
        raise Failure(
            f"You entered {found.listed.org} yourself: another coordinator has to confirm it."
            " Nothing was signed for it."
        )
    intent = actions.confirming(found.listed, known_entry(found))
    asking.agree(intent, yes=yes, as_json=as_json)
    work.confirm(ours, found.listed, now=ours.network.clock())
    value: dict[str, JsonInput] = {"org": found.listed.org, "entry": found.listed.entry}
    terminal.say(ours.network.root, as_json, value, "Confirmed. It is shown so from now on.")


@coordinator.command()
@click.argument("org")
@click.option("--device", default="", help="The beginning of its key id; without: all of them.")
@click.option("--since", required=True, help="Since when it may be in other hands, in UTC.")
@key_option
@yes_option
@json_option
def freeze(
    *,
    org: str,
    device: str,
    since: str,
    key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Stop an organisation for 72 hours, or one device of it for good."""
    with working(key_file, passphrase_file) as ours:
        concerned, now = parse_org(org), ours.network.clock()
        stopped = work.find_device(ours.register, concerned, device) if device else None
        at = asking.since(since, now=now)
        intent = actions.freezing(concerned, stopped, since=at)
        asking.agree(intent, yes=yes, as_json=as_json)
        work.freeze(ours, concerned, stopped, since=at, now=now)
        value: dict[str, JsonInput] = {"org": concerned, "device": stopped, "since": at}
        terminal.say(ours.network.root, as_json, value, f"Frozen. {intent.phone}")


@contextmanager
def working(key_file: Path, passphrase_file: Path | None) -> Iterator[Coordinator]:
    """The newest log and the key. Refused first where the root file does not know the key."""
    with asking.connected() as network:
        network.log.sync()
        secret = asking.open_stick(
            key_file, Kind.COORDINATOR, network, passphrase_file=passphrase_file
        )
        ours = Coordinator(network, secret)
        work.check_listed(ours)
        try:
            yield ours
        except Unreachable:
            raise DeskError("directory_unreachable") from None


def _applicant(named: str, register: Register) -> Applicant:
    path = Path(named)
    if path.exists():
        return work.read_applicant(path)
    return work.known_applicant(register, parse_org(named))


def _ask(question: str) -> None:
    answer = click.prompt(f"{question} Type yes", default="no", show_default=False)
    if answer.strip().casefold() != "yes":
        raise DeskError("not_answered_yes")


def _progress(done: int, total: int) -> None:
    click.echo(f"{done} of {total}", err=True)


def _quiet(done: int, total: int) -> None:
    """For programs."""


def _entered_json(plan: ListingPlan, done: Entered) -> dict[str, JsonInput]:
    return {
        "entered": done.posted,
        "seen_in_log": done.seen,
        "new": [entry.org for entry in plan.new],
        "changed": [entry.org for entry in plan.changed],
        "unchanged": list(plan.same),
        "to_confirm": list(plan.waiting),
        "list_themselves": list(plan.themselves),
    }


def _entered_text(plan: ListingPlan, done: Entered) -> str:
    lines = [f"{done.posted} organisations listed; {len(plan.same)} were listed so already."]
    if done.seen < done.posted:
        lines.append(f"{done.seen} of them are witnessed; the others will be in some minutes.")
    if done.posted:
        lines.append("Next: a coordinator of yours or another country confirms each of them.")
    lines += [f"To confirm: rujukan coordinator confirm {org}" for org in plan.waiting]
    lines += [f"{org} has keys and lists itself; it was left alone." for org in plan.themselves]
    return "\n".join(lines)
