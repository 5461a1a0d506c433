"""`rujukan log`: this computer's verified copy of the network's log, and a log that lies.

No passphrase and no desk is needed, only a folder and the root file: the log is public, and whoever
has to look into a hard stop may not be the desk's owner. Nothing here decides what is true.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from broker.desk import asking, terminal
from broker.desk.asking import yes_option
from broker.desk.key_actions import Intent
from broker.desk.unlocking import local_time, open_log, read_root
from broker.mirror import CopyRefused, DirectoryUnreachable, Fork, Mirror, parse_fork
from broker.mirror.forks import MAX_EVIDENCE
from broker.mirror.shown import age_text, fork_json, fork_text, log_json, log_text, resolving
from broker.service.commands import Commands, json_option
from broker.service.failures import Failure
from contracts.errors import ContractError
from contracts.root import VerifierKey

# As large as a copy of the largest log that a mirror takes.
_MAX_COPY: Final = 1 << 30
_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
_NEW: Final = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=Commands, invoke_without_command=True)
@json_option
@click.pass_context
def log(context: click.Context, *, as_json: bool) -> None:
    """How this computer's copy of the network's log stands, and what to do after a hard stop.

    Without a command it shows that; no directory is asked.
    """
    if context.invoked_subcommand is not None:
        return
    with _opened() as mirror:
        now = local_time()
        text = "\n".join([log_text(mirror, now=now), *_following(mirror)])
        terminal.say(mirror.root, as_json, log_json(mirror, now=now), text)


@log.command()
@click.argument("file", type=_NEW)
@json_option
def save(file: Path, *, as_json: bool) -> None:
    """Write the log to FILE, for a computer behind a slow line: it may travel on a stick."""
    with _opened() as mirror:
        with contextlib.suppress(DirectoryUnreachable):  # what is known already is a copy too
            mirror.sync()
        asking.write_new(file, mirror.export_copy())
        text = (
            f"Wrote {file}: {mirror.size} statements. Nothing in it is secret. On the other "
            f"computer: `rujukan log load {file.name}`."
        )
        terminal.say(mirror.root, as_json, {"file": str(file), "size": mirror.size}, text)


@log.command()
@click.argument("file", type=_FILE)
@json_option
def load(file: Path, *, as_json: bool) -> None:
    """Take over a copy of the log from FILE, checked like what the directory answers."""
    with _opened() as mirror:
        data = _content(file, _MAX_COPY)
        if len(data) > _MAX_COPY:
            raise CopyRefused("oversized")
        report = mirror.load_copy(data)
        value = {"added": report.added, **log_json(mirror, now=local_time())}
        text = (
            f"Verified and took over {report.added} statements; {report.size} are known now.\n"
            f"{age_text(mirror, now=local_time())}"
        )
        terminal.say(mirror.root, as_json, value, text)


@log.command()
@click.argument("file", type=_NEW)
@json_option
def evidence(file: Path, *, as_json: bool) -> None:
    """Write the evidence that the log has forked to FILE, to be handed to coordinators."""
    with _opened() as mirror:
        fork = mirror.fork
        if fork is None:
            raise Failure(
                "No evidence of a forked log is kept here. Nothing was written; `rujukan log` says"
                " whether a hard stop stands, and why."
            )
        asking.write_new(file, fork.render())
        text = (
            f"Wrote {file}. Hand it to coordinators of two countries, whom you phone at numbers "
            f"that you knew before. They run `rujukan log check-evidence {file.name}`; it proves "
            "the fork to anybody, names no case, and need not be kept secret."
        )
        terminal.say(mirror.root, as_json, {"file": str(file), **fork_json(fork)}, text)


@log.command("check-evidence")
@click.argument("file", type=_FILE)
@json_option
def check_evidence(file: Path, *, as_json: bool) -> None:
    """Say what the evidence in FILE proves. Exit code 1 where it proves nothing."""
    with _opened() as mirror:
        came_with = read_root(terminal.settings().root_file)
        fork = _proven(_content(file, MAX_EVIDENCE), (mirror.root.log, came_with.log))
        text = (
            f"{fork_text(fork)}\nPhone the coordinators of other countries and the network's "
            "operator. Until people have found out which past is true, trust nothing new in this "
            "log."
        )
        terminal.say(mirror.root, as_json, {"forked": True, **fork_json(fork)}, text)


@log.command()
@yes_option
@json_option
def resolve(*, yes: bool, as_json: bool) -> None:
    """Take a hard stop away, after people have found out what is true."""
    if yes and not as_json:
        raise click.UsageError("--yes is for programs, with --json: a person is asked.")
    with _opened() as mirror:
        stop = mirror.stopped
        if stop is None:
            raise Failure("No hard stop stands on this computer. Nothing was changed.")
        told = resolving(stop)
        intent = Intent(told.title, told.effects, told.undo, told.phone)
        asking.agree(intent, yes=yes, as_json=as_json)
        mirror.resolve()
        text = (
            "Taken away. The desk goes on by itself; `rujukan status` reads the log again and says "
            "whether it stops once more."
        )
        terminal.say(mirror.root, as_json, {"resolved": stop.code, "org": stop.org}, text)


@contextmanager
def _opened() -> Iterator[Mirror]:
    settings = terminal.settings()
    root = read_root(settings.root_file)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mirror, close = open_log(settings, root)
    try:
        yield mirror
    finally:
        close()


def _following(mirror: Mirror) -> Iterator[str]:
    if mirror.fork is not None:
        yield "  `rujukan log evidence FILE` writes it for the coordinators."
    if mirror.stopped is not None:
        yield "Once people have found out what is true: `rujukan log resolve`."


def _content(file: Path, limit: int) -> bytes:
    """The file's bytes; one more than the limit where there are more."""
    try:
        with file.open("rb") as opened:
            return opened.read(limit + 1)
    except OSError:
        raise Failure(f"{file} cannot be read. Nothing was changed.") from None


def _proven(data: bytes, keys: tuple[VerifierKey, ...]) -> Fork:
    """The fork that these bytes prove, by a key of the log that this computer knows."""
    for key in keys:
        with contextlib.suppress(ContractError):
            fork = parse_fork(data)
            fork.check(key)
            return fork
    raise Failure(
        "This file proves nothing: it is damaged, or the key of this network's log has not signed"
        " both of its checkpoints, or they fit together. Nothing was changed. Ask whoever handed it"
        " over for the file as `rujukan log evidence` wrote it."
    )
