"""`rujukan listing`: what the public directory says of our organisation, signed by this desk.

Each command shows the whole entry, says what will happen and asks. Only an admin device's
signature counts for a listing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from broker.desk import asking, terminal
from broker.desk import coordinator_actions as actions
from broker.desk.asking import yes_option
from broker.desk.client import DirectoryClient, Unreachable
from broker.desk.errors import DeskError
from broker.desk.listing import (
    EntryDoor,
    Standing,
    confirm_own,
    entry_text,
    known_entry,
    publish_own,
    read_entry_file,
    standing,
)
from broker.desk.peers import parse_org
from broker.desk.unlocking import Desk
from broker.service.commands import Commands, json_option
from contracts.encoding import JsonInput, parse_json
from contracts.entries import MAX_ENTRY, entry_hash, render_entry
from contracts.times import utc_text


@click.group(cls=Commands)
def listing() -> None:
    """What the public directory says of your organisation."""


@listing.command()
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@json_option
def publish(*, file: Path, yes: bool, as_json: bool) -> None:
    """List the entry in FILE as your organisation's, in place of the one before."""
    entry = read_entry_file(file)
    with terminal.unlocked() as desk, door() as directory:
        desk.log.sync()
        before = desk.log.register.listing(desk.org)
        asking.agree(actions.publishing(entry, listed=before), yes=yes, as_json=as_json)
        new = publish_own(desk, directory, entry, now=desk.clock())
        name = entry_hash(render_entry(entry))
        value: dict[str, JsonInput] = {"org": desk.org, "entry": name, "new": new}
        text = (
            f"Listed, as entry {name}. The directory shows it from now on.\n"
            "Confirm it at least every three months: rujukan listing confirm"
        )
        terminal.say(desk.root, as_json, value, text if new else "It was listed so already.")


@listing.command()
@yes_option
@json_option
def confirm(*, yes: bool, as_json: bool) -> None:
    """Say that your organisation's entry, which is shown first, is still true."""
    with terminal.unlocked() as desk, door() as directory:
        desk.log.sync()
        found = standing(desk.log.register, directory, desk.org)
        intent = actions.confirming(found.listed, known_entry(found))
        asking.agree(intent, yes=yes, as_json=as_json)
        confirm_own(desk, found.listed, now=desk.clock())
        value: dict[str, JsonInput] = {"org": desk.org, "entry": found.listed.entry}
        terminal.say(desk.root, as_json, value, "Confirmed. The directory shows today's date.")


@listing.command()
@yes_option
@json_option
def withdraw(*, yes: bool, as_json: bool) -> None:
    """Take your organisation off the public directory: it has closed, or must not be found."""
    with terminal.unlocked() as desk, door() as directory:
        desk.log.sync()
        entry = known_entry(standing(desk.log.register, directory, desk.org))
        asking.agree(actions.withdrawing(entry), yes=yes, as_json=as_json)
        empty = replace(entry, services=())
        publish_own(desk, directory, empty, now=desk.clock())
        value: dict[str, JsonInput] = {"org": desk.org, "entry": entry_hash(render_entry(empty))}
        terminal.say(desk.root, as_json, value, "Done. The directory does not show it any more.")


@listing.command()
@click.argument("org", default="")
@json_option
def show(*, org: str, as_json: bool) -> None:
    """What the network's log lists of your organisation, or of ORG."""
    with asking.desk_if_any() as place, door() as directory:
        place.log.sync()
        if not org and not isinstance(place, Desk):
            raise click.UsageError("Without a desk, name an organisation.")
        whose = place.org if isinstance(place, Desk) and not org else parse_org(org)
        found = standing(place.log.register, directory, whose)
        terminal.say(place.root, as_json, standing_json(found), standing_text(found))


@contextmanager
def door() -> Iterator[EntryDoor]:
    """Where entries' bytes are left and found."""
    with closing(DirectoryClient(terminal.settings().directory_url)) as client:
        try:
            yield client
        except Unreachable:
            raise DeskError("directory_unreachable") from None


def standing_json(found: Standing) -> dict[str, JsonInput]:
    """A listing for programs; `content` is the entry itself, or null where its bytes are gone."""
    listed, entry = found.listed, found.entry
    content = None if entry is None else parse_json(render_entry(entry), limit=MAX_ENTRY)
    return {
        "org": listed.org,
        "entry": listed.entry,
        "by": listed.by,
        "listed": utc_text(listed.t),
        "confirmed_by": list(listed.confirmed_by),
        "confirmed": None if listed.unconfirmed else utc_text(listed.checked_at),
        "unconfirmed": listed.unconfirmed,
        "content": content,
    }


def standing_text(found: Standing) -> str:
    """A listing for people."""
    listed, entry = found.listed, found.entry
    by = "the organisation itself" if listed.by == listed.org else f"coordinator {listed.by}"
    lines = [f"Listed by {by} on {utc_text(listed.t)}, as entry {listed.entry}."]
    if listed.unconfirmed:
        lines.append("Entered by one coordinator, unconfirmed.")
    else:
        lines.append(f"Last confirmed {utc_text(listed.checked_at)}.")
    missing = "The directory does not show the bytes of this entry."
    return "\n".join([*lines, missing if entry is None else entry_text(entry)])
