"""A TLS door in front of a loopback port, with a certificate of an authority made for the test.

authority = make_authority(tmp_path)
with tls_door(authority, port) as door: ...       # amqps://localhost:<door>
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.services.ports import LOOPBACK
from tests.services.processes import run

NAME = "localhost"


@dataclass(frozen=True, slots=True)
class Authority:
    """`certificate` is what a client believes; the others are the server's."""

    certificate: Path
    server_certificate: Path
    server_key: Path


def make_authority(folder: Path) -> Authority:
    """An authority, and a certificate of it for `localhost`."""
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    server, key, asked = folder / "server.pem", folder / "server.key", folder / "server.csr"
    extensions = folder / "server.ext"
    extensions.write_text(f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    _openssl(
        "req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", "2",
        "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    _openssl("req", *curve, "-keyout", key, "-out", asked, "-subj", f"/CN={NAME}")
    _openssl(
        "x509", "-req", "-in", asked, "-CA", ca, "-CAkey", ca_key, "-days", "2",
        "-CAcreateserial", "-extfile", extensions, "-out", server,
    )  # fmt: skip
    return Authority(ca, server, key)


@contextmanager
def tls_door(authority: Authority, port: int) -> Iterator[int]:
    """A port that speaks TLS and hands what is inside on to `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_certificate, authority.server_key)
    with socket.create_server((LOOPBACK, 0)) as listener:
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, context, port, threads))
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)


def _openssl(*arguments: str | Path) -> None:
    run(["openssl", *arguments])


def _accept(
    listener: socket.socket, context: ssl.SSLContext, port: int, threads: list[threading.Thread]
) -> None:
    with suppress(OSError):
        while True:
            outer, _ = listener.accept()
            threads.append(threading.Thread(target=_serve, args=(outer, context, port)))
            threads[-1].start()


def _serve(outer: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),  # a client that does not believe us hangs up
        outer,
        context.wrap_socket(outer, server_side=True) as client,
        socket.create_connection((LOOPBACK, port)) as server,
    ):
        back = threading.Thread(target=_pour, args=(server, client))
        back.start()
        _pour(client, server)
        back.join(5)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
