"""A private RabbitMQ node: its own folder, ports, cookie and epmd; a fresh vhost for each test.

    with run_node() as node, node.vhost() as vhost:
        connect(vhost.url)

It takes 6 to 20 seconds to start, so one node serves a test run; a vhost takes milliseconds. The
program is the wrapper's target (the wrapper changes user and folder), told by
RUNNING_UNDER_SYSTEMD to become the Erlang machine instead of a shell that waits for it: so the
child is `beam.smp` itself, SIGKILL reaches it and the parent-death signal too. epmd runs in the
foreground as a child of its own; started by Erlang, it would stay as a daemon.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, Final
from urllib.parse import quote

import httpx

from tests.services.folders import service_folder
from tests.services.missing import Missing
from tests.services.ports import LOOPBACK, free_port, is_open, wait_for_port
from tests.services.processes import Child, start, wait_until

SERVER: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
USER: Final = "tests"
START_SECONDS: Final = 90.0
# What an operator gets is what is tested; ports and the tests' user are added.
CONFIGURATION: Final = Path(__file__).parents[2] / "docker" / "rabbitmq" / "rabbitmq.conf"


@dataclass(frozen=True, slots=True)
class Vhost:
    """A fresh vhost. `url` and `management_url` are what the settings of the hub take."""

    name: str
    url: str
    management_url: str
    node: Node

    def api(self, method: str, path: str, body: object | None = None) -> Any:
        """Ask the management API under `/api`; `{vhost}` in the path is this vhost."""
        return self.node.api(method, path.replace("{vhost}", quote(self.name, safe="")), body)

    def url_for(self, user: str, password: str) -> str:
        """This vhost's address for another user."""
        return self.node.url(self.name, user, password)


@dataclass(slots=True)
class Node:
    """A running node. `server` is `beam.smp`; after `kill` or `stop`, `start` starts it again."""

    folder: Path
    port: int
    management_port: int
    environ: dict[str, str]
    password: str = field(repr=False)
    server: Child = field(init=False)
    _running: ExitStack = field(init=False, default_factory=ExitStack)

    @property
    def management_url(self) -> str:
        return f"http://{LOOPBACK}:{self.management_port}"

    @property
    def data(self) -> Path:
        """Where messages lie on disk."""
        return self.folder / "mnesia"

    def url(self, vhost: str, user: str = USER, password: str | None = None) -> str:
        secret = quote(self.password if password is None else password, safe="")
        return (
            f"amqp://{quote(user, safe='')}:{secret}@{LOOPBACK}:{self.port}/{quote(vhost, safe='')}"
        )

    def api(self, method: str, path: str, body: object | None = None) -> Any:
        """The management API's answer to `method` on `/api` + path; an error status raises."""
        answer = httpx.request(
            method,
            f"{self.management_url}/api{path}",
            json=body,
            auth=(USER, self.password),
            timeout=15,
            trust_env=False,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @contextmanager
    def vhost(self) -> Iterator[Vhost]:
        """A new vhost with all rights for the tests' user, gone afterwards."""
        name = f"t{secrets.token_hex(6)}"
        self.api("PUT", f"/vhosts/{name}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.api("PUT", f"/permissions/{name}/{USER}", everything)
        try:
            yield Vhost(name, self.url(name), self.management_url, self)
        finally:
            if self.server.ended is not None:
                self.start()
            self.api("DELETE", f"/vhosts/{name}")

    def start(self) -> None:
        """Start the server and wait until it answers on every port."""
        self._running = ExitStack()
        self.server = self._running.enter_context(
            start("rabbitmq", [SERVER], log=self.folder / "server.log", environ=self.environ)
        )
        wait_until(
            lambda: self._speaks_amqp() and self._manages(),
            "RabbitMQ to answer",
            child=self.server,
            seconds=START_SECONDS,
            every=0.1,
        )

    def stop(self) -> None:
        """Stop the server as an operator would."""
        self._running.close()

    def kill(self) -> None:
        """SIGKILL the server."""
        self.server.kill()
        self._running.close()

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\0\0\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def _manages(self) -> bool:
        if not is_open(self.management_port):
            return False
        try:
            self.api("GET", "/overview")
        except httpx.HTTPError:
            return False
        return True


@contextmanager
def run_node() -> Iterator[Node]:
    """A running node, gone afterwards with its folder. `Missing` where RabbitMQ is not there."""
    epmd = which("epmd")
    if not SERVER.exists() or epmd is None:
        raise Missing("RabbitMQ is not installed (Debian: rabbitmq-server)")
    with service_folder("mq") as folder, _run_epmd(Path(epmd), folder) as epmd_port:
        node = _prepare(folder, epmd_port)
        node.start()
        try:
            yield node
        finally:
            # Its data goes with it, and an orderly end takes six seconds.
            node.kill()


@contextmanager
def _run_epmd(program: Path, folder: Path) -> Iterator[int]:
    port = free_port()
    command: list[str | Path] = [program, "-port", str(port), "-address", LOOPBACK]
    with start("epmd", command, log=folder / "epmd.log") as child:
        wait_for_port(port, child=child)
        yield port


def _prepare(folder: Path, epmd_port: int) -> Node:
    password = secrets.token_hex(16)
    port, management_port = free_port(), free_port()
    _write(folder / ".erlang.cookie", secrets.token_hex(16), mode=0o400)
    _write(folder / "advanced.config", "[].\n")
    _write(folder / "enabled_plugins", "[rabbitmq_management].\n")
    _write(folder / "rabbitmq.conf", _configuration(port, management_port, password), mode=0o600)
    return Node(folder, port, management_port, _environ(folder, port, epmd_port), password)


def _configuration(port: int, management_port: int, password: str) -> str:
    return CONFIGURATION.read_text(encoding="utf-8") + "".join(
        f"{line}\n"
        for line in (
            f"listeners.tcp.1 = {LOOPBACK}:{port}",
            f"management.tcp.ip = {LOOPBACK}",
            f"management.tcp.port = {management_port}",
            f"default_user = {USER}",
            f"default_pass = {password}",
        )
    )


def _environ(folder: Path, port: int, epmd_port: int) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": "r0@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": str(folder / "log" / "node.log"),
        "RABBITMQ_PID_FILE": str(folder / "node.pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": LOOPBACK,
    }


def _write(path: Path, content: str, *, mode: int = 0o600) -> None:
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
