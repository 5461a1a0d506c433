"""Two coordinators of a running network, at once: they have phoned everybody already.

    office = Office(NET, folder=folder, directory_url=url)
    office.public_files                       # for the root file
    office.admit(admission)                   # both vouch; then its statements follow
    office.enter(table)                       # for those that have no keys; confirmed at once

What they say goes to the directory over HTTP, as `rujukan coordinator` posts it, but without a
passphrase and a process for each statement. It knows nobody's keys but theirs.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from broker.desk.enrolment import read_admission
from contracts.drafting import confirm_statement, freeze_statement, listing_statement
from contracts.encoding import b64encode
from contracts.entries import Entry, entry_hash, render_entry
from contracts.identifiers import KeyId, OrgId
from contracts.statements import Statement
from directory.entries import entries_of
from directory.imports import read_listings
from tests.services.processes import wait_until
from tests.vouching import COORDINATORS, Signer, Vouchers

_PATIENCE: Final = 60
_SHUT: Final = 503


class Office:
    """Their keys, their chains, and the directory's door. May be used by several threads."""

    def __init__(self, net: str, *, folder: Path, directory_url: str) -> None:
        self.public_files = tuple(_public_file(one, folder) for one in COORDINATORS[:2])
        self._url = directory_url
        self._vouchers = Vouchers(net)
        # A chain has one next place, and two organisations may be admitted at once.
        self._one_speaker = threading.Lock()

    def vouch(self, admission: Path) -> None:
        """Both give their word; the organisation's desk then joins by itself."""
        self._vouch(read_admission(admission)[0])

    def admit(self, admission: Path) -> None:
        """Both give their word, and what the admission file holds is published."""
        self.join(*read_admission(admission))

    def join(self, *statements: Statement) -> list[int]:
        """The same for an organisation's first statements; where they stand in the log."""
        self._vouch(statements[0])
        return [self.post(statement) for statement in statements]

    def freeze(self, org: OrgId, *, device: KeyId | None, since: int) -> None:
        """One of them stops a device, or all of an organisation."""
        with self._one_speaker:
            frozen = self._vouchers.sign(
                COORDINATORS[0],
                iat=_now(),
                org=org,
                make=lambda heading, key: freeze_statement(
                    heading, key, suspected_since=since, device=device
                ),
            )
            self.post(frozen)

    def enter(self, entry: Entry) -> None:
        """One lists an organisation without keys, the other confirms it."""
        data = render_entry(entry)
        name = entry_hash(data)
        self._send("/blobs", data)
        with self._one_speaker:
            for by, make in zip(
                COORDINATORS[:2], (listing_statement, confirm_statement), strict=True
            ):
                self.post(
                    self._vouchers.sign(
                        by,
                        iat=_now(),
                        org=entry.org,
                        make=lambda heading, key, make=make: make(heading, key, entry=name),  # type: ignore[misc]  # mypy types no lambda default
                    )
                )

    def post(self, statement: Statement) -> int:
        """Into the log, and where it stands there; it may stand there already."""
        return int(self._send("/log/statements", statement.render())["index"])

    def _vouch(self, first: Statement) -> None:
        with self._one_speaker:
            for statement in self._vouchers.vouches(first, iat=_now()):
                self.post(statement)

    def _send(self, path: str, content: bytes) -> Any:
        """Again while the log is shut: each process of the directory opens it for itself."""
        found: list[httpx.Response] = []

        def answered() -> bool:
            found.append(
                httpx.post(
                    f"{self._url}{path}",
                    content=content,
                    headers={"Content-Type": "application/json"},
                    trust_env=False,
                    timeout=_PATIENCE,
                )
            )
            return found[-1].status_code != _SHUT

        wait_until(answered, "the log to open", seconds=_PATIENCE, every=0.2)
        assert found[-1].status_code in (200, 201), found[-1].text
        return found[-1].json()


def entries_in(table: str) -> tuple[Entry, ...]:
    """The entries of a table of services, as `rujukan-directory import` prepares them."""
    today = datetime.fromtimestamp(_now(), UTC).date()
    return entries_of(read_listings(table.encode(), today=today, demonstration=True))


def _public_file(one: Signer, folder: Path) -> Path:
    file = folder / f"coordinator-{one.country}.json"
    public = {"id": one.id, "country": one.country, "key": b64encode(one.key.public)}
    file.write_text(json.dumps(public), encoding="utf-8")
    return file


def _now() -> int:
    return int(time.time())
