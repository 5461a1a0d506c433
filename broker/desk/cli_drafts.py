"""`rujukan coordinator route|root|sign|post`: what several coordinators sign, as drafts in files.

A draft is the statement itself with the signatures it has so far. It fits one place in its author's
chain, is carried from one signer to the next, and is put into plain words before anybody signs.
The group with all its commands is to be imported from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from broker.desk import asking, terminal
from broker.desk import coordinator as work
from broker.desk import coordinator_actions as actions
from broker.desk.asking import path_option, yes_option
from broker.desk.cli_coordinator import coordinator, key_option, working
from broker.desk.errors import DeskError
from broker.desk.publishing import Network, post
from broker.service.commands import json_option
from broker.service.failures import Failure
from contracts.contents import Content, read_content
from contracts.encoding import JsonInput
from contracts.errors import ContractError, Refused
from contracts.log import Leaf
from contracts.messages import CONTRACT
from contracts.register import Register
from contracts.routing import RouteState
from contracts.statements import MAX_CARRIED, Statement, countersigned, parse_statement

__all__ = ["coordinator"]


@coordinator.command()
@click.argument("a")
@click.argument("b")
@click.argument("state", type=click.Choice([state.value for state in RouteState]))
@path_option("--out", "The draft, for a coordinator of the other country to sign.")
@click.option("--contract", "contracts", multiple=True, default=(CONTRACT,), show_default=True)
@key_option
@yes_option
@json_option
def route(
    *,
    a: str,
    b: str,
    state: str,
    out: Path,
    contracts: Sequence[str],
    key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Draft how far the countries A and B have come with each other."""
    with working(key_file, passphrase_file) as ours:
        pair, found = (a.lower(), b.lower()), RouteState(state)
        asking.agree(actions.routing(pair, found, contracts), yes=yes, as_json=as_json)
        now = ours.network.clock()
        draft = work.draft_route(ours, pair, found, contracts, now=now)
        read_content(draft)  # such as a country of three letters
        asking.write_new(out, draft.render())
        _say_draft(ours.network, draft, out, as_json=as_json)


@coordinator.command("root")
@click.argument("file", type=click.Path(path_type=Path))
@path_option("--out", "The draft, for the other coordinators to sign.")
@key_option
@yes_option
@json_option
def new_root(
    *,
    file: Path,
    out: Path,
    key_file: Path,
    passphrase_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Draft the network's next root FILE: most of the coordinators must sign it."""
    with working(key_file, passphrase_file) as ours:
        draft = work.draft_root(ours, file, now=ours.network.clock())
        intent = actions.countersigning(read_content(draft), ours.register)
        asking.agree(intent, yes=yes, as_json=as_json)
        asking.write_new(out, draft.render())
        _say_draft(ours.network, draft, out, as_json=as_json)


@coordinator.command()
@click.argument("draft", type=click.Path(path_type=Path))
@key_option
@yes_option
@json_option
def sign(
    *, draft: Path, key_file: Path, passphrase_file: Path | None, yes: bool, as_json: bool
) -> None:
    """Read a DRAFT of others in plain words, and add your signature to it."""
    with working(key_file, passphrase_file) as ours:
        statement, content = _read_draft(draft, ours.register)
        intent = actions.countersigning(content, ours.register)
        asking.agree(intent, yes=yes, as_json=as_json)
        signed = countersigned(statement, ours.key)
        asking.write_over(draft, signed.render())
        _say_draft(ours.network, signed, draft, as_json=as_json)


@coordinator.command("post")
@click.argument("draft", type=click.Path(path_type=Path))
@yes_option
@json_option
def post_draft(*, draft: Path, yes: bool, as_json: bool) -> None:
    """Put a DRAFT that everybody has signed into the network's log; needs no key."""
    with asking.connected() as network:
        network.log.sync()
        register = network.log.register
        statement, content = _read_draft(draft, register)
        rule = _missing(statement, register, now=network.clock())
        if rule:
            raise Failure(_incomplete(rule))
        asking.agree(actions.posting(content, register), yes=yes, as_json=as_json)
        post(network, statement)
        value: dict[str, JsonInput] = {"posted": True}
        terminal.say(network.root, as_json, value, "It stands in the network's log.")


def _read_draft(path: Path, register: Register) -> tuple[Statement, Content]:
    try:
        with path.open("rb") as file:
            statement = parse_statement(file.read(MAX_CARRIED + 1))
        content = read_content(statement)
    except (OSError, ContractError):
        raise DeskError("not_a_draft", path=str(path)) from None
    heading = content.heading
    if heading != register.next_heading(heading.by, iat=heading.iat, org=heading.org):
        raise DeskError("chain_taken")
    return statement, content


def _missing(statement: Statement, register: Register, *, now: int) -> str:
    """The rule by which the log would refuse it today, "" where it would take it."""
    try:
        register.copy().apply(Leaf(statement, max(now, register.time)))
    except Refused as refused:
        return refused.code
    return ""


def _incomplete(rule: str) -> str:
    if rule == "wrong_signers":
        return (
            "Not everybody who must sign this has signed, or somebody has who may not. Nothing"
            " was posted. Carry it to the next coordinator: rujukan coordinator sign"
        )
    return f"The network's log would not take this ({rule.replace('_', ' ')}). Nothing was posted."


def _say_draft(network: Network, draft: Statement, path: Path, *, as_json: bool) -> None:
    rule = _missing(draft, network.log.register, now=network.clock())
    signers: list[JsonInput] = [signature.key_id for signature in draft.signatures]
    value: dict[str, JsonInput] = {
        "file": str(path),
        "signers": signers,
        "complete": not rule,
        "missing": rule or None,
    }
    following = (
        f"All who must have signed it. Post it: rujukan coordinator post {path.name}"
        if not rule
        else f"Carry {path} to the next who signs: rujukan coordinator sign {path.name}"
    )
    text = f"Signed by you; {len(signers)} signatures so far.\n{following}"
    terminal.say(network.root, as_json, value, text)
