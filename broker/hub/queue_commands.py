"""`rujukan-hub relay` and `rujukan-hub declare`: the commands about RabbitMQ.

for command in COMMANDS: main.add_command(command)
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Final

import click

from broker.hub.declare import Report
from broker.hub.declare import declare as declare_topology
from broker.hub.parts import open_hub
from broker.hub.relay import run_relay
from broker.hub.settings import HubSettings
from broker.service.commands import emit, fail, json_option
from broker.service.logs import configure_logging
from broker.service.settings import amqp_url, existing_file, read_settings, setting, web_url
from contracts.root import parse_root


@dataclasses.dataclass(frozen=True, slots=True)
class QueueSettings:
    """For `declare`, which needs no database."""

    root_file: Path = setting("RUJUKAN_ROOT_FILE", "the network's root file", parse=existing_file)

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


@click.command()
def relay() -> None:
    """Carry envelopes through RabbitMQ until stopped."""
    settings = read_settings(HubSettings, os.environ)
    configure_logging("relay", settings.log_level)
    if settings.queue_url is None:
        fail(
            "The relay has nothing to do: RUJUKAN_QUEUE_URL is not set, so the hub delivers "
            "through its own mailbox table. Set it for hub and relay alike, or leave the relay out."
        )
    run_relay(open_hub(settings), settings.queue_url)


@click.command()
@json_option
def declare(*, as_json: bool) -> None:
    """Create queues, exchanges and policies in RabbitMQ; repeating it changes nothing."""
    settings = read_settings(QueueSettings, os.environ)
    configure_logging("declare")
    if settings.queue_url is None:
        fail("Nothing was declared: RUJUKAN_QUEUE_URL is not set. Give RabbitMQ's address in it.")
    root = parse_root(settings.root_file.read_bytes())
    report = declare_topology(settings.queue_url, settings.queue_management_url, net=root.net)
    emit(as_json, dataclasses.asdict(report), text_of(report))


def text_of(report: Report) -> str:
    """The report for people."""
    lines = [f"Declared: {', '.join(report.objects)}."]
    if report.policies:
        lines.append(f"Policies set: {', '.join(report.policies)}.")
    if report.not_set:
        lines.append(
            f"Not set: {', '.join(report.not_set)}. Time to live and length limits need "
            "RUJUKAN_QUEUE_MANAGEMENT_URL; give it and repeat this command."
        )
    lines += [f"Warning: {warning}" for warning in report.warnings]
    return "\n".join(lines)


COMMANDS: Final = (relay, declare)
