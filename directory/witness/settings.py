"""What the witness is told from outside, read once when it starts.

Which logs it follows stands in one JSON file, because each needs two things that belong together:

    {"logs": [{"root_file": "net-a.json", "directory_url": "https://directory.example"}]}

A root file's path counts from the folder of that file. A log's name is the network's, out of its
root file; nothing in this file can change what a root file says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.service.failures import Failure
from broker.service.settings import (
    NotUsable,
    database_url,
    existing_file,
    level,
    port,
    setting,
    text,
    web_url,
    whole_number,
)
from contracts.encoding import JsonValue, list_of, members, parse_object, text_of
from contracts.errors import ContractError, Malformed
from contracts.root import WITNESS_KEY, RootFile, VerifierKey, parse_root, parse_vkey
from contracts.signing import PUBLIC_KEY_SIZE

_LARGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """A log to follow: its root file, and where its directory answers."""

    root: RootFile
    directory_url: str


def key_path(value: str) -> Path:
    """A file that need not exist yet."""
    return Path(value).expanduser().absolute()


def witness_name(value: str) -> str:
    """A name as it stands in a vkey, like a host's: the root file's rule decides."""
    probe = VerifierKey(value, WITNESS_KEY, bytes(PUBLIC_KEY_SIZE))
    try:
        return parse_vkey(probe.render(), kind=WITNESS_KEY, field="name").name
    except Malformed:
        raise NotUsable(
            "must be like a host's name: small letters, digits, dots, hyphens and slashes"
        ) from None


@dataclass(frozen=True, slots=True)
class WitnessKeySettings:
    """For `rujukan-directory witness-key`, which comes before there is a root file."""

    key_file: Path = setting(
        "RUJUKAN_WITNESS_KEY_FILE",
        "the witness's signing key; made where it is not",
        parse=key_path,
    )


@dataclass(frozen=True, slots=True)
class WitnessStoreSettings:
    """For commands that only look into what the witness remembers."""

    database_url: str = setting(
        "RUJUKAN_WITNESS_DATABASE_URL",
        "where the witness remembers what it signed: SQLite or PostgreSQL; never put back from a"
        " backup while the key is in use",
        parse=database_url,
        secret=True,
    )
    log_level: str = setting("RUJUKAN_LOG_LEVEL", "how much to log", parse=level, default="INFO")


@dataclass(frozen=True, slots=True)
class WitnessSettings(WitnessStoreSettings):
    """The settings of `rujukan-directory witness`."""

    key_file: Path = setting(
        "RUJUKAN_WITNESS_KEY_FILE",
        "the witness's signing key; made where it is not",
        parse=key_path,
    )
    name: str = setting(
        "RUJUKAN_WITNESS_NAME",
        "the name it signs with, as in its `witness-key`",
        parse=witness_name,
    )
    logs_file: Path = setting(
        "RUJUKAN_WITNESS_LOGS_FILE",
        'which logs it follows: `{"logs": [{"root_file", "directory_url"}]}`',
        parse=existing_file,
    )
    host: str = setting(
        "RUJUKAN_WITNESS_HOST", "the address to listen on", parse=text, default="127.0.0.1"
    )
    port: int = setting("RUJUKAN_WITNESS_PORT", "the port to listen on", parse=port, default=8002)
    workers: int = setting(
        "RUJUKAN_WITNESS_WORKERS", "how many processes serve", parse=whole_number(1, 64), default=2
    )


def read_logs(file: Path) -> tuple[FollowedLog, ...]:
    """The logs to follow. Raises `Failure` in a sentence that names the file, never its content."""
    try:
        data = parse_object(file.read_bytes(), limit=_LARGEST)
        members(data, required={"logs"})
        logs = tuple(_log(item, file.parent) for item in list_of(data, "logs"))
    except (ContractError, NotUsable, OSError) as error:
        code = error.code if isinstance(error, ContractError) else "a file or an address in it"
        raise Failure(
            f"The file RUJUKAN_WITNESS_LOGS_FILE names cannot be used ({code}). Nothing was"
            " started. Whoever runs the witness mends it; docs/settings.md shows its form."
        ) from None
    nets = {log.root.net for log in logs}
    if not logs or len(nets) != len(logs):
        raise Failure(
            "The file RUJUKAN_WITNESS_LOGS_FILE names must hold at least one log, and each network"
            " once. Nothing was started."
        )
    return logs


def _log(item: JsonValue, folder: Path) -> FollowedLog:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "logs")
    members(item, required={"root_file", "directory_url"})
    root = parse_root((folder / text_of(item, "root_file")).read_bytes())
    return FollowedLog(root, web_url(text_of(item, "directory_url")))
