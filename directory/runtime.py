"""What a running directory is made of, as the views reach it.

runtime().search.find(Query(text="shelter"))
runtime().log.can_receive(OrgId(organisation.org_id))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from flask import Flask, current_app

from contracts.root import RootFile
from directory.logbook import Logbook
from directory.publication import Publication
from directory.search.current import Search
from directory.settings import DirectorySettings
from directory.statements import StatementLog

_NAME: Final = "rujukan_directory"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that views share; `clock` gives Unix seconds."""

    settings: DirectorySettings
    root: RootFile
    search: Search
    logbook: Logbook
    clock: Callable[[], int]

    @property
    def log(self) -> StatementLog:
        """The statement log."""
        return self.logbook.log

    @property
    def publication(self) -> Publication:
        """What of the log's listings is shown."""
        return self.logbook.publication


def install_runtime(app: Flask, parts: Runtime) -> None:
    """Make `parts` what `runtime()` returns in the context of `app`."""
    app.extensions[_NAME] = parts


def runtime() -> Runtime:
    """The parts of the application that is serving this request."""
    return cast("Runtime", current_app.extensions[_NAME])
