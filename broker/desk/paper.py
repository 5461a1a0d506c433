"""A secret key on paper: one line of text that a person can type, and the same as a QR code.

The text is Bech32 (`broker.desk.bech32`): whose key it is and the key, with a checksum, so that a
mistyped key is refused instead of opening nothing for ever. It is not encrypted: whoever reads the
paper has the key. Public text, such as a fingerprint, is drawn as a QR code here too.

    text = paper_text(secret)
    secret = read_paper(typed, net=root.net)
"""

from __future__ import annotations

import io
from html import escape
from typing import Final

import segno

from broker.desk.bech32 import decode, encode
from broker.desk.errors import DeskError
from broker.desk.secretfile import Kind, Secret
from contracts.errors import ContractError, Malformed
from contracts.identifiers import OrgId, parse_org_id
from contracts.signing import SEED_SIZE, SigningKey

GROUP: Final = 4  # characters between two spaces, as people copy them
# Another form of the data would get another prefix. With the longest it is exactly 90 characters.
_PREFIX: Final = "rjk-"
_COUNTRY, _RANDOM = 2, 8  # bytes of an organisation's id


def paper_text(secret: Secret) -> str:
    """The key as Bech32, lower case, without spaces."""
    country, _, rest = secret.org.partition("-")
    data = country.encode("ascii") + bytes.fromhex(rest) + secret.key.seed
    return encode(f"{_PREFIX}{secret.kind.value}", data)


def read_paper(typed: str, *, net: str) -> Secret:
    """The key that a paper holds, in whatever case and spacing it was typed.

    A paper names no network, so `net` is that of the root file in use. Raises
    `DeskError("paper_unreadable")`.
    """
    try:
        prefix, data = decode("".join(typed.split()))
        kind = Kind(prefix.removeprefix(_PREFIX))
        return Secret(kind, net, _org(data), SigningKey.from_seed(data[_COUNTRY + _RANDOM :]))
    except (ContractError, ValueError):
        raise DeskError("paper_unreadable") from None


def spaced(text: str) -> str:
    """The text in groups of four, twelve to a line, for people."""
    groups = [text[at : at + GROUP] for at in range(0, len(text), GROUP)]
    lines = (groups[at : at + 12] for at in range(0, len(groups), 12))
    return "\n".join(" ".join(line) for line in lines)


def qr_terminal(text: str) -> str:
    """A QR code in block characters; text in capitals makes the smallest one."""
    drawn = io.StringIO()
    segno.make_qr(text, error="m").terminal(drawn, compact=True)
    return drawn.getvalue()


def qr_image(text: str) -> str:
    """A QR code as a `data:` address of an SVG image, for a page."""
    return segno.make_qr(text, error="m").svg_data_uri(scale=4, dark="#000", light="#fff")


def fingerprint_code(org: str, digits: str) -> str:
    """What the QR code beside a fingerprint holds: exactly what is read out by phone."""
    return f"{org} {digits}".upper()


def paper_page(secret: Secret, *, digits: str) -> bytes:
    """A page to print, as an SVG image that every browser opens: what it is, text, QR code."""
    text = paper_text(secret)
    code = segno.make_qr(text.upper(), error="m").svg_inline(scale=6, dark="#000", light="#fff")
    lines = [
        f"Rujukan: secret {secret.kind.value} key",
        f"of {secret.org} in the network {secret.net}",
        *(["Fingerprint: " + digits] if digits else []),
        "Whoever reads this page can use the key. Keep it under lock, away from the computer.",
        "",
        *spaced(text).split("\n"),
    ]
    written = "".join(
        f'<text x="20" y="{40 + 24 * place}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    moved = f'<g transform="translate(20 {40 + 24 * len(lines)})">{code}</g>'
    style = 'font-family="monospace" font-size="15"'
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 700">'
    ground = '<rect width="800" height="700" fill="#fff"/>'
    return f"{head}{ground}<g {style}>{written}{moved}</g></svg>\n".encode()


def _org(data: bytes) -> OrgId:
    if len(data) != _COUNTRY + _RANDOM + SEED_SIZE:
        raise Malformed("wrong_length", "text")
    rest = data[_COUNTRY : _COUNTRY + _RANDOM].hex()
    return parse_org_id(f"{data[:_COUNTRY].decode('ascii')}-{rest}")
