"""A small directory to test against: fictional listings, an application, an organisation."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from broker.service.database import migrate, open_engine
from contracts.contents import Role, week_key
from contracts.drafting import (
    device_statement,
    keys_statement,
    listing_statement,
    org_statement,
    vouch_statement,
)
from contracts.encoding import b64encode
from contracts.entries import render_entry
from contracts.identifiers import OrgId
from contracts.register import Register
from contracts.root import Hub, parse_root
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement, first_heading
from contracts.times import DAY
from contracts.tree import EMPTY_ROOT
from directory.app import create_app
from directory.blobs import keep_bytes
from directory.columns import COLUMNS
from directory.db import db
from directory.entries import entries_of
from directory.imports import read_listings
from directory.logkey import Mark
from directory.publication import Publication, check_listing
from directory.runtime import Runtime
from directory.search.current import Search
from directory.settings import DirectorySettings
from directory.statements import Appended, Known, StatementLog
from directory.store import Report
from tests.vouching import COORDINATORS, LOG_KEY, Signer, demo_root

NET = "demo.test"
NOW = 1_800_000_000
TODAY = date(2026, 1, 15)
ORG = "my-0123456789abcdef"
OTHER = "bd-0123456789abcdef"
LISTER = COORDINATORS[2]

GOOD: Mapping[str, str] = {
    "org_id": ORG,
    "org_name": "Harapan DEMO",
    "org_kind": "ngo",
    "org_description": "Fictional.",
    "org_website": "https://harapan.example/",
    "org_email": "office@harapan.example",
    "demo": "yes",
    "service_key": "shelter",
    "service_name": "Rumah Harapan",
    "name_zh": "希望之家",
    "services": "shelter;legal_aid",
    "populations": "women",
    "languages": "msa;ben",
    "country": "MY",
    "region": "Selangor",
    "confidential": "no",
    "coverage": "Klang;Shah Alam",
    "availability": "all_hours",
    "accepts_referrals": "yes",
    "referral_how": "Ring first.",
    "phone": "+60 3-0000 0000",
    "confirmed_on": "2025-12-31",
}
ADDRESS: Mapping[str, str] = {
    "address_1": "1 Jalan Contoh",
    "city": "Klang",
    "state_province": "Selangor",
    "postal_code": "41000",
    "latitude": "3.04",
    "longitude": "101.45",
}


def csv_file(rows: Sequence[Mapping[str, str]], *, columns: Sequence[str] = ()) -> bytes:
    """The rows as a listings file with all columns, or only those given."""
    out = io.StringIO()
    names = columns or [column.name for column in COLUMNS]
    writer = csv.DictWriter(out, names, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def new_engine(path: Path) -> Engine:
    """A database with the directory's tables in a new file."""
    engine = open_engine(f"sqlite:///{path / 'directory.db'}")
    migrate(engine, "directory")
    return engine


class Open:
    """A guard that lets the log grow, for tests of what is in it."""

    def check(self, known: Known) -> None:
        """Anything goes."""


def new_log(engine: Engine, *, now: int = NOW) -> StatementLog:
    """The log of the demonstration network, at a time that stands still."""
    root = parse_root(demo_root(net=NET))
    return StatementLog(engine, root=root, guard=Open(), check=check_listing, clock=lambda: now)


def store(
    engine: Engine,
    rows: Sequence[Mapping[str, str]],
    *,
    now: int = NOW,
    by: Signer = LISTER,
) -> Report:
    """Have a coordinator list these rows, as the import prepares them, and show them."""
    log = new_log(engine, now=now)
    listings = read_listings(csv_file(rows), today=TODAY, demonstration=True)
    for entry in entries_of(listings):
        data = render_entry(entry)
        name = keep_bytes(engine, data, demonstration=True, now=now)
        listed = log.register().listing(entry.org)
        if listed is None or listed.entry != name:
            heading = log.register().next_heading(by.id, iat=now, org=entry.org)
            log.append_all([listing_statement(heading, by.key, entry=name)])
    return Publication(log, clock=lambda: now).refresh()


@dataclass(frozen=True)
class Served:
    """An application over a database of its own."""

    app: Flask
    client: FlaskClient
    engine: Engine

    def close(self) -> None:
        """Let go of the database's connections."""
        self.engine.dispose()
        with self.app.app_context():
            db.engine.dispose()

    @property
    def runtime(self) -> Runtime:
        parts = self.app.extensions["rujukan_directory"]
        assert isinstance(parts, Runtime)
        return parts

    @property
    def search(self) -> Search:
        return self.runtime.search


def write_root_file(path: Path, *, net: str = NET) -> Path:
    """A demonstration root file in a folder, and beside it the log's key with its mark."""
    write_log_key(path)
    hub = Hub.of(url="http://127.0.0.1:8001", key=SigningKey.from_seed(b"h" * 32).public)
    file = path / "root.json"
    file.write_bytes(demo_root(net=net, hubs=[hub]))
    return file


def write_log_key(folder: Path) -> Path:
    """The key file of the log of `tests.vouching`, as `root-file` makes it."""
    file = folder / "log.key"
    if not file.exists():
        Mark.beside(file).raise_to(0, EMPTY_ROOT)
        file.touch(mode=0o600)
        file.write_text(b64encode(LOG_KEY.seed) + "\n")
    return file


def served(path: Path, *, url: str | None = None, now: int = NOW) -> Served:
    """The application over a new SQLite database, or over the one at `url`."""
    settings = DirectorySettings(
        database_url=url or f"sqlite:///{path / 'directory.db'}",
        root_file=write_root_file(path),
        log_key_file=path / "log.key",
        index_file=path / "index.db",
    )
    app = create_app(settings, clock=lambda: now)
    return Served(app, app.test_client(), open_engine(settings.database_url))


def admission(register: Register, member: Member, *, now: int = NOW) -> tuple[Statement, ...]:
    """What brings a member into the log: two coordinators' word, and its own statements."""
    vouches = (
        vouch_statement(
            register.next_heading(by.id, iat=now, org=member.org),
            by.key,
            of=member.statements[0].hash,
        )
        for by in COORDINATORS[:2]
    )
    return (*vouches, *member.statements)


def admit(log: StatementLog, member: Member, *, now: int = NOW) -> tuple[Appended, ...]:
    """Take a member into the log."""
    return log.append_all(admission(log.register(), member, now=now))


@dataclass(frozen=True)
class Member:
    """An organisation's keys and its first three statements, made at `NOW`."""

    org: OrgId
    root: SigningKey
    device: SigningKey
    statements: tuple[Statement, Statement, Statement]
    heading: Heading

    @classmethod
    def new(cls, org: str = ORG, *, net: str = NET, now: int = NOW) -> Member:
        root, device = SigningKey.generate(), SigningKey.generate()
        heading = first_heading(net=net, by=OrgId(org), iat=now)
        first = org_statement(heading, root=root, kind="ngo")
        heading = heading.following(first, iat=now)
        window: dict[str, Any] = {"nbf": now - DAY, "naf": now + 90 * DAY}
        second = device_statement(heading, root=root, device=device, role=Role.ADMIN, **window)
        heading = heading.following(second, iat=now)
        third = _keys(heading, device, now)
        return cls(OrgId(org), root, device, (first, second, third), heading)

    def more_keys(self, heading: Heading, *, now: int = NOW) -> Statement:
        """Another `keys` statement under this heading."""
        return _keys(heading, self.device, now)


def _keys(heading: Heading, device: SigningKey, now: int) -> Statement:
    # A real X25519 public key: the contract refuses points of small order.
    public = bytes([9]) + SigningKey.generate().public[:30] + bytes([1])
    return keys_statement(
        heading, device=device, keys=[week_key(public, at=now)], reads=["case-referral/1.0"]
    )
