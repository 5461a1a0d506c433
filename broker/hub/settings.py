"""What the hub's operator may set. One row each in the table of settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from broker.service.settings import (
    NotUsable,
    amqp_url,
    database_url,
    existing_file,
    level,
    port,
    setting,
    text,
    web_url,
    whole_number,
)


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _queue_door(value: str) -> str:
    """An address for devices: who may come in, and where to, is said beside it."""
    door = amqp_url(value).rstrip("/")
    parts = urlsplit(door)
    if parts.username is not None or parts.password is not None:
        raise NotUsable("must not hold a user name or password")
    if parts.path:
        raise NotUsable("must not hold a path: the virtual host is that of RUJUKAN_QUEUE_URL")
    return door


@dataclass(frozen=True, slots=True)
class HubKeySettings:
    """For `rujukan-hub key`, which comes before there is a root file or a database."""

    hub_key_file: Path = setting(
        "RUJUKAN_HUB_KEY_FILE", "the hub's signing key, made by `rujukan-hub key`", parse=_path
    )


@dataclass(frozen=True, slots=True)
class HubSettings:
    """For everything that carries envelopes."""

    root_file: Path = setting("RUJUKAN_ROOT_FILE", "the network's root file", parse=existing_file)
    hub_key_file: Path = setting(
        "RUJUKAN_HUB_KEY_FILE", "the hub's signing key, made by `rujukan-hub key`", parse=_path
    )
    database_url: str = setting(
        "RUJUKAN_DATABASE_URL",
        "where this process keeps its tables: SQLite or PostgreSQL",
        parse=database_url,
        secret=True,
    )
    directory_url: str = setting("RUJUKAN_DIRECTORY_URL", "the directory", parse=web_url)
    routes_file: Path | None = setting(
        "RUJUKAN_ROUTES_FILE",
        "which countries have signed; without it the countries' own packs",
        parse=existing_file,
        default=None,
    )
    queue_url: str | None = setting(
        "RUJUKAN_QUEUE_URL",
        "RabbitMQ, with the virtual host; without it the hub uses its own mailbox table",
        parse=amqp_url,
        default=None,
        secret=True,
    )
    queue_management_url: str | None = setting(
        "RUJUKAN_QUEUE_MANAGEMENT_URL",
        "RabbitMQ's management interface, for `rujukan-hub declare` and for devices' users",
        parse=web_url,
        default=None,
        secret=True,
    )
    queue_public_url: str | None = setting(
        "RUJUKAN_QUEUE_PUBLIC_URL",
        "where devices reach RabbitMQ; without it they fetch over HTTPS alone",
        parse=_queue_door,
        default=None,
    )
    host: str = setting("RUJUKAN_HOST", "the address to listen on", parse=text, default="127.0.0.1")
    port: int = setting("RUJUKAN_PORT", "the port to listen on", parse=port, default=8001)
    workers: int = setting(
        "RUJUKAN_WORKERS", "how many processes serve", parse=whole_number(1, 64), default=2
    )
    requests_a_minute: int = setting(
        "RUJUKAN_REQUESTS_A_MINUTE",
        "how many envelopes one device may hand in within a minute",
        parse=whole_number(1, 1_000_000),
        default=120,
    )
    log_level: str = setting("RUJUKAN_LOG_LEVEL", "how much to log", parse=level, default="INFO")
