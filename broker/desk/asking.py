"""What every command on keys shares: it says what will happen, asks, and opens what it needs.

    with asking.connected() as network: ...           # no desk and no passphrase is needed
    asking.agree(intent, yes=yes, as_json=as_json)
    secret = asking.open_stick(path, Kind.ROOT, network, org=org, passphrase_file=file)

A passphrase comes from a prompt or a file, never from an argument. Knows no command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from broker.desk import terminal
from broker.desk.client import Unreachable
from broker.desk.errors import DeskError
from broker.desk.key_actions import Intent
from broker.desk.keyring import key_file
from broker.desk.passphrases import ask_terminal, choose_passphrase, read_passphrase
from broker.desk.publishing import Network, Publishing, Unanswered, open_network
from broker.desk.secretfile import Kind, Secret, open_secret_file
from broker.desk.unlocking import Desk
from broker.service.files import write_private
from contracts.identifiers import OrgId
from contracts.signing import SigningKey
from contracts.standing import Organisation

F = TypeVar("F", bound=Callable[..., Any])

_MOST_TEXT: Final = 4096
_FORMS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M")

yes_option = click.option("--yes", is_flag=True, help="For programs: do it without asking.")
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True),
    help="Its first line is the stick's passphrase; without it you are asked.",
)


def path_option(name: str, text: str, *, required: bool = True) -> Callable[[F], F]:
    """An option that names a file."""
    return click.option(name, required=required, type=click.Path(path_type=Path), help=text)


@contextmanager
def connected() -> Iterator[Network]:
    """The network, for a computer that needs no desk of its own for what it does."""
    network = open_network(terminal.settings())
    try:
        with _reached():
            yield network
    finally:
        network.close()


@contextmanager
def unlocked() -> Iterator[Desk]:
    """The desk of this computer. Raises `DeskError`, also where a server is away."""
    with terminal.unlocked() as desk, _reached():
        yield desk


@contextmanager
def desk_if_any() -> Iterator[Desk | Network]:
    """The desk of this computer, unlocked; where there is none, the network alone."""
    if key_file(terminal.settings().home).exists():
        with unlocked() as desk:
            yield desk
        return
    with connected() as network:
        yield network


def agree(intent: Intent, *, yes: bool, as_json: bool) -> None:
    """Say what will happen, and go on only where somebody says yes. Raises `DeskError`."""
    if as_json and not yes:
        raise DeskError("yes_needed")
    if not as_json:
        click.echo(intent.text)
    if not yes:
        answer = click.prompt("Type yes to go on", default="no", show_default=False)
        if answer.strip().casefold() != "yes":
            raise DeskError("not_answered_yes")


def open_stick(
    path: Path,
    kind: Kind,
    place: Publishing,
    *,
    org: OrgId | None = None,
    passphrase_file: Path | None = None,
) -> Secret:
    """The key on a stick; asks for its passphrase."""
    file = passphrase_file or terminal.settings().passphrase_file
    prompt = f"Passphrase of the {kind} key"
    passphrase = read_passphrase(file, ask=ask_terminal, prompt=prompt)
    return open_secret_file(path, passphrase, kind=kind, net=place.root.net, org=org)


def stick_passphrase(kind: Kind, passphrase_file: Path | None) -> bytes:
    """A new stick's passphrase, asked for twice."""
    file = passphrase_file or terminal.settings().passphrase_file
    return choose_passphrase(file, ask=ask_terminal, prompt=f"Passphrase for the {kind} key")


def root_in_force(
    secret: Secret, organisation: Organisation, *, path: Path, now: int
) -> SigningKey:
    """The stick's key, if the organisation's root today is just that."""
    if organisation.root_at(now) != secret.key.public:
        raise DeskError("wrong_stick", path=str(path), org=organisation.id)
    return secret.key


def since(text: str, *, now: int) -> int:
    """A time in the past as somebody typed it, in UTC. Raises `DeskError("not_a_time")`."""
    for form in _FORMS:
        try:
            at = int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
        if 0 <= at <= now:
            return at
    raise DeskError("not_a_time")


def write_new(path: Path, data: bytes) -> None:
    """A new file of ours, readable by its owner only, on disk before this returns."""
    try:
        write_private(path, data)
    except OSError:
        raise DeskError("file_unwritable", path=str(path)) from None


def write_over(path: Path, data: bytes) -> None:
    """Replace a file of ours at once: after a crash there is the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    write_new(beside, data)
    beside.replace(path)


def check_absent(path: Path) -> None:
    """Refuse, before anything is made, a file that is there already."""
    if path.exists():
        raise DeskError("file_unwritable", path=str(path))


def read_text(path: Path) -> str:
    """A text that a person has put into a file. Raises `DeskError("paper_unreadable")`."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_TEXT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise DeskError("paper_unreadable") from None


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except Unanswered:
        raise DeskError("perhaps_published") from None
    except Unreachable:
        raise DeskError("directory_unreachable") from None
