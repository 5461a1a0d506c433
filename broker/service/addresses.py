"""The addresses our processes accept, and the one rule about them.

Whatever leaves this computer is encrypted and verified. A scheme without TLS is accepted only
for a literal loopback address, 127.0.0.0/8 or [::1]: the name `localhost` is whatever the
resolver says it is. There is no switch. Nothing here opens a connection.

Each function gives the address back in the form our libraries read, or raises `NotUsable` with
the end of a sentence that begins with the setting's name, and never with the value itself.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

LITERAL: Final = "127.0.0.1 or [::1]"

# Printable ASCII without the backslash, which some parsers read as a slash.
_PLAIN: Final = re.compile(r"[!-\[\]-~]+")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")
# Our libraries cut an address at other places than `urlsplit` where it holds a second @, or
# brackets anywhere but round the host; then not the host that was checked would be dialled.
_AUTHORITY: Final = re.compile(r"([^@\[\]]*@)?([^@:\[\]]*|\[[^@\[\]]*\])(:[0-9]*)?")
# Longer than any address we hand out, short enough to parse without thought.
_LONGEST: Final = 2048

_DATABASE_OPTIONS: Final = frozenset({"host", "port", "sslmode", "sslrootcert"})
_POSTGRESQL: Final = "postgresql+psycopg"


class NotUsable(Exception):
    """A value breaks a rule; the text is the rule, never the value."""


def is_loopback(host: str) -> bool:
    """Whether `host`, without brackets, is a literal address that never leaves this computer."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("127.0.0.0/8")
    return address == ipaddress.IPv6Address("::1")


def web_url(value: str) -> str:
    """An `https://` address, or `http://` to a literal loopback address; no slash at the end."""
    parts = _split(value, {"https": True, "http": False})
    if parts.username is not None or parts.password is not None:
        raise NotUsable("must not hold a user name or password")
    if "?" in value or "#" in value:
        raise NotUsable("must not hold a question mark or a hash sign")
    return value.rstrip("/")


def amqp_url(value: str) -> str:
    """An `amqps://` address, or `amqp://` to a literal loopback address; the path is the vhost.

    Options after a question mark are refused: with pika they can turn verification off.
    """
    _split(value, {"amqps": True, "amqp": False})
    if "?" in value or "#" in value:
        raise NotUsable("must not hold a question mark or a hash sign")
    return value


def database_url(value: str) -> str:
    """`sqlite:///file`, or `postgresql://` over a Unix socket, a loopback address or verified TLS.

    To any other host `sslmode=verify-full` is added where it is missing, checked against the
    system's authorities unless `sslrootcert` names a file; a weaker mode is refused.
    """
    scheme, separator, rest = value.partition("://")
    if scheme == "sqlite" and separator and rest.startswith("/"):
        if "?" in rest:
            raise NotUsable("must not hold a question mark")
        if rest in {"/", "/:memory:"}:
            raise NotUsable("must name a file: what is kept in memory is lost with the process")
        return value
    if scheme not in {"postgresql", _POSTGRESQL} or not separator:
        raise NotUsable("must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return _postgresql(f"postgresql://{rest}")


def _postgresql(value: str) -> str:
    parts = _parts(value)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not options.keys() <= _DATABASE_OPTIONS:
        raise NotUsable(f"may hold no other options than {', '.join(sorted(_DATABASE_OPTIONS))}")
    if "host" in options and not options["host"].startswith("/"):
        raise NotUsable("may name with the option host only the folder of a Unix socket")
    host = parts.hostname or ""
    # libpq takes a list, and dials the next of it where the first does not answer.
    if any("," in one for one in (parts.netloc, options.get("host", ""), options.get("port", ""))):
        raise NotUsable("must name one host")
    if host and not (is_loopback(host) or "host" in options):
        options = _verified(options)
    query = f"?{urlencode(options, safe='/')}" if options else ""
    return f"{_POSTGRESQL}://{parts.netloc}{parts.path}{query}"


def _verified(options: dict[str, str]) -> dict[str, str]:
    if options.get("sslmode", "verify-full") != "verify-full":
        raise NotUsable("must have sslmode=verify-full, or leave sslmode out, for another computer")
    return {"sslmode": "verify-full", "sslrootcert": "system"} | options


def _split(value: str, schemes: dict[str, bool]) -> SplitResult:
    """The parts of `value`; `schemes` says of each whether it is encrypted."""
    parts = _parts(value)
    encrypted = next(scheme for scheme, tls in schemes.items() if tls)
    if parts.scheme not in schemes or not parts.hostname:
        raise NotUsable(f"must be an address that begins with {encrypted}://")
    if not _HOST.fullmatch(parts.hostname):
        raise NotUsable("must name a host by a plain name or address")
    if not schemes[parts.scheme] and not is_loopback(parts.hostname):
        raise NotUsable(
            f"must begin with {encrypted}://; {parts.scheme}:// is accepted only for a literal"
            f" address of this computer: write {LITERAL}, not localhost"
        )
    return parts


def _parts(value: str) -> SplitResult:
    if len(value) > _LONGEST or not _PLAIN.fullmatch(value):
        raise NotUsable("must be an address in plain ASCII without spaces or backslashes")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise NotUsable("must be an address with a port from 0 to 65535, if any") from None
    if not _AUTHORITY.fullmatch(parts.netloc):
        raise NotUsable("must name one host; write @ : [ ] in a user name or password as %40 ...")
    return parts
