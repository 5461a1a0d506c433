"""`rujukan desk`: the web desk, for one person on this computer.

It prints a link that opens the desk once. Whoever loses the window ends this program and starts
it again: that makes a new link, and the old window is worth nothing.
"""

from __future__ import annotations

import os
import signal
import threading

import click

from broker.desk.passphrases import ask_terminal, read_passphrase
from broker.desk.settings import DeskSettings
from broker.desk.unlocking import Desk, read_root, unlock
from broker.service.commands import emit, json_option
from broker.service.logs import configure_logging
from broker.service.settings import read_settings


@click.command("desk")
@click.option("--port", default=8100, type=click.IntRange(0, 65535), help="Where it answers.")
@json_option
def desk(*, port: int, as_json: bool) -> None:
    """Open the desk in a browser of this computer; ends with Ctrl-C."""
    # Here and not above: the other commands need not wait until Flask has loaded.
    from broker.desk.web.app import create_app
    from broker.desk.web.guard import Keeper
    from broker.desk.web.running import DeskServer
    from broker.desk.web.vault import Vault

    settings = read_settings(DeskSettings, os.environ)
    configure_logging("desk", settings.log_level)
    root = read_root(settings.root_file)

    def open_desk(passphrase: bytes) -> Desk:
        return unlock(settings, passphrase)

    with DeskServer(port) as server:
        vault, keeper = Vault(open_desk), Keeper(server.port)
        vault.unlock(
            read_passphrase(settings.passphrase_file, ask=ask_terminal, prompt="Passphrase")
        )
        app = create_app(vault, keeper, root)
        server.run(app, vault, _stop_on_signals(), lambda: _say(keeper.link, as_json=as_json))


def _say(link: str, *, as_json: bool) -> None:
    text = (
        f"Your desk is open. This link works once, in a browser of this computer:\n{link}\n"
        "It locks after ten idle minutes. Ctrl-C ends it; starting it again makes a new link."
    )
    emit(as_json, {"url": link}, text)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop
