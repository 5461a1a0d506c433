"""What a test sees of a hub's database, and shortcuts for both doors."""

from __future__ import annotations

import time

from sqlalchemy import select

from broker.hub import models
from broker.hub.parts import Hub
from contracts.identifiers import Mid
from contracts.notice import Notice, read_notice
from contracts.sealing import Sealed
from tests.integration.hub.network import Device, Network


def rows_of(hub: Hub, device: Device) -> list[str]:
    """The envelopes in this device's mailbox, sorted."""
    rows = models.copy.c
    with hub.engine.connect() as connection:
        wanted = select(rows.eid).where(rows.device == device.box.device).order_by(rows.eid)
        return list(connection.scalars(wanted))


def arrived(network: Network, hub: Hub, *expected: Sealed) -> bool:
    """Whether exactly these are in the mailbox of each of the receiver's devices."""
    eids = sorted(sealed.eid for sealed in expected)
    return all(rows_of(hub, device) == eids for device in network.receiver.devices)


def reasons(hub: Hub) -> list[str]:
    """Why the dead letters are dead, sorted."""
    return sorted(letter.reason for letter in hub.store.dead_letters(limit=100))


def newest_notice(network: Network, hub: Hub, mid: Mid) -> Notice | None:
    """What the hub has told the sender last, verified."""
    notice = hub.store.newest_notice(network.sender.org, mid)
    return None if notice is None else read_notice(notice, hub_key=network.hub_key.public)


def accept(hub: Hub, device: Device, sealed: Sealed) -> None:
    """Hand in at the HTTPS door; returns when it is accepted, durably."""
    box = device.box
    hub.acceptance.accept(sealed.body, org=box.org, device=box.device, now=int(time.time()))
