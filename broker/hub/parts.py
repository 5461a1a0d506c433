"""The parts of a running hub, put together once, for the gateway, the relay and the commands.

    hub = open_hub(settings)
    hub.acceptance.accept(...)

Opening brings the tables up to date and connects to nothing but the database. Call it after a
fork, never before: connections are not shared by processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from broker.hub.acceptance import Acceptance
from broker.hub.boxes import Boxes
from broker.hub.keyfile import read_key
from broker.hub.known import Known, KnownByMirror
from broker.hub.mailbox import Mailbox
from broker.hub.management import Management
from broker.hub.queue_users import QueueUsers
from broker.hub.sessions import Logins, Rates
from broker.hub.settings import HubSettings
from broker.hub.store import Limits, Store
from broker.hub.sweeper import Sweeper
from broker.mirror import Mirror
from broker.service.database import migrate, open_engine
from broker.service.failures import Failure
from contracts.root import RootFile, parse_root
from contracts.signing import SigningKey
from countries.routes import load_routes

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Hub:
    """One hub in one process. `clock` gives whole Unix seconds; read it once a decision."""

    engine: Engine
    root: RootFile
    key: SigningKey
    clock: Clock
    uses_queue: bool
    store: Store
    known: KnownByMirror
    acceptance: Acceptance
    mailbox: Mailbox
    logins: Logins
    rates: Rates
    sweeper: Sweeper
    queue_users: QueueUsers | None = None  # none where devices fetch over HTTPS alone


def system_clock() -> int:
    """Whole Unix seconds."""
    return int(time.time())


def open_hub(
    settings: HubSettings, *, clock: Clock = system_clock, limits: Limits | None = None
) -> Hub:
    """The hub that `settings` describe. Raises `Failure`, `ContractError` in sentences."""
    root = parse_root(settings.root_file.read_bytes())
    key = _own_key(settings, root)
    engine = open_engine(settings.database_url)
    migrate(engine, "broker.hub")
    mirror = open_mirror(settings, engine, root, clock=clock)
    known, store = KnownByMirror(mirror), Store(engine)
    acceptance = Acceptance(
        store=store,
        known=known,
        routes=load_routes(settings.routes_file),
        key=key,
        queue=settings.queue_url is not None,
        limits=limits,
    )
    return Hub(
        engine=engine,
        root=root,
        key=key,
        clock=clock,
        uses_queue=settings.queue_url is not None,
        store=store,
        known=known,
        acceptance=acceptance,
        mailbox=Mailbox(engine),
        logins=Logins(engine, key=key, known=known),
        rates=Rates(engine, a_minute=settings.requests_a_minute),
        sweeper=Sweeper(engine, acceptance=acceptance, known=known),
        queue_users=_queue_users(settings, engine, known),
    )


def open_mirror(
    settings: HubSettings, engine: Engine, root: RootFile, *, clock: Clock = system_clock
) -> Mirror:
    """The hub's verified copy of the directory's log, its tables up to date."""
    migrate(engine, "broker.mirror")
    return Mirror(engine=engine, root=root, directory_url=settings.directory_url, clock=clock)


def _queue_users(settings: HubSettings, engine: Engine, known: Known) -> QueueUsers | None:
    queue, office = settings.queue_url, settings.queue_management_url
    if queue is None or office is None or settings.queue_public_url is None:
        return None
    return QueueUsers(
        boxes=Boxes(engine),
        office=Management(queue, office),
        known=known,
        public_url=settings.queue_public_url,
    )


def _own_key(settings: HubSettings, root: RootFile) -> SigningKey:
    key = read_key(settings.hub_key_file)
    if key.key_id not in {hub.id for hub in root.hubs}:
        raise Failure(
            "The root file does not name this hub's key, so no desk would believe it. Nothing was"
            " started. Check that key file and root file belong together."
        )
    return key
