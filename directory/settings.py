"""What the directory is told from outside, read once when it starts."""

from dataclasses import dataclass
from pathlib import Path

from broker.service.settings import (
    database_url,
    existing_file,
    level,
    port,
    setting,
    text,
    web_url,
    whole_number,
)


def file_path(value: str) -> Path:
    """A file that need not exist yet."""
    return Path(value)


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """The settings of `rujukan-directory`."""

    database_url: str = setting(
        "RUJUKAN_DATABASE_URL",
        "where this process keeps its tables: SQLite or PostgreSQL",
        parse=database_url,
        secret=True,
    )
    root_file: Path = setting("RUJUKAN_ROOT_FILE", "the network's root file", parse=existing_file)
    log_key_file: Path = setting(
        "RUJUKAN_LOG_KEY_FILE",
        "the log's signing key, made by `rujukan-directory root-file`; the mark of what it has"
        " signed is kept beside it, so its folder must be writable",
        parse=existing_file,
    )
    index_file: Path = setting(
        "RUJUKAN_INDEX_FILE",
        "where the derived search index is kept; it may be deleted at any time",
        parse=file_path,
    )
    public_url: str | None = setting(
        "RUJUKAN_PUBLIC_URL",
        "the address under which the public reaches the directory; without it, the address asked",
        parse=web_url,
        default=None,
    )
    host: str = setting("RUJUKAN_HOST", "the address to listen on", parse=text, default="127.0.0.1")
    port: int = setting("RUJUKAN_PORT", "the port to listen on", parse=port, default=8000)
    workers: int = setting(
        "RUJUKAN_WORKERS", "how many processes serve", parse=whole_number(1, 64), default=2
    )
    log_level: str = setting("RUJUKAN_LOG_LEVEL", "how much to log", parse=level, default="INFO")
