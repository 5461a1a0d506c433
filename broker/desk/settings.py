"""The desk's settings: where its folder is, which network it belongs to.

No secret is a setting. The hub's address and key come from the root file, so that nobody can
point a desk elsewhere by an environment variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from broker.service.settings import existing_file, folder, level, setting, web_url


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What `rujukan` reads from its environment."""

    home: Path = setting(
        "RUJUKAN_HOME",
        "the desk's folder: keys, cases, copy of the log; one folder is one desk",
        parse=folder,
        default=Path(platformdirs.user_data_dir("rujukan", appauthor=False)),
    )
    root_file: Path = setting(
        "RUJUKAN_ROOT_FILE",
        "the root file that names the network, its log and its hubs",
        parse=existing_file,
    )
    directory_url: str = setting(
        "RUJUKAN_DIRECTORY_URL", "where the directory answers", parse=web_url
    )
    passphrase_file: Path | None = setting(
        "RUJUKAN_PASSPHRASE_FILE",
        "a file whose first line is the desk's passphrase; without it the desk asks",
        parse=existing_file,
        default=None,
    )
    routes_file: Path | None = setting(
        "RUJUKAN_ROUTES_FILE",
        "a file of routes between countries instead of those in the country packs",
        parse=existing_file,
        default=None,
    )
    log_level: str = setting(
        "RUJUKAN_LOG_LEVEL", "the least level that is logged", parse=level, default="WARNING"
    )


@dataclass(frozen=True, slots=True)
class PassphraseSettings:
    """For what comes before there is a root file, such as a coordinator's new key."""

    passphrase_file: Path | None = setting(
        "RUJUKAN_PASSPHRASE_FILE",
        "a file whose first line is the new passphrase; without it the command asks",
        parse=existing_file,
        default=None,
    )
