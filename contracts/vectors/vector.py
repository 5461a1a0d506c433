"""One vector: a readable header, an empty line, the body as it is.

Facts are `name: value` lines; a name may come several times. The body is not touched: it may
be no UTF-8, and whether a line feed ends it is part of what is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.vectors.draft import BD_1, BD_2, CONTRACT, MY_1, MY_2, NOW, TH_1, Desk, sha256

# What an opener, a hub or a reader accepts; everything else is a refusal.
ACCEPTING: Final = frozenset(("ok", "not-for-this-device"))

DESKS: Final = (MY_1, MY_2, BD_1, BD_2, TH_1)

Fact = tuple[str, str]


@dataclass(frozen=True)
class Vector:
    """`expect` is a code with hyphens; `name` becomes the file's name."""

    name: str
    check: str  # open | read | hub | notice | login | statement | message | receipt | course
    expect: str
    comment: str
    facts: tuple[Fact, ...]
    body: bytes

    @property
    def path(self) -> str:
        folder = "accept" if self.expect in ACCEPTING else "reject"
        return f"{folder}/{self.check}-{self.name}.txt"

    def render(self) -> bytes:
        head = (("expect", self.expect), ("check", self.check), ("comment", self.comment))
        lines = "".join(f"{name}: {value}\n" for name, value in (*head, *self.facts))
        return lines.encode() + b"\n" + self.body


def device_fact(desk: Desk) -> Fact:
    """A certified device and its window; the seed is there for who builds a register of it."""
    return "device", (
        f"{desk.org} {desk.kid} public={desk.sign_public.hex()} seed={desk.sign_seed.hex()} "
        f"nbf={desk.nbf} naf={desk.naf}"
    )


def key_fact(desk: Desk) -> Fact:
    """The encryption key that a device has published for one week."""
    return "key", (
        f"{desk.kid} {desk.key} public={desk.public.hex()} secret={desk.secret.hex()} "
        f"nbf={desk.week}"
    )


def register_facts(desks: Iterable[Desk]) -> tuple[Fact, ...]:
    """Everything a register must know of these desks."""
    return tuple(fact for desk in desks for fact in (device_fact(desk), key_fact(desk)))


def now_fact(now: int = NOW) -> Fact:
    """The reader's clock."""
    return "now", str(now)


def opening(
    name: str,
    expect: str,
    comment: str,
    body: bytes,
    *,
    own: Desk = BD_1,
    message: bytes | None = None,
    more: tuple[Fact, ...] = (),
    desks: Sequence[Desk] = DESKS,
    check: str = "open",
) -> Vector:
    """A vector for the opening of an envelope, by the desk `own`."""
    facts = [
        now_fact(),
        ("own-org", own.org),
        ("own-device", own.kid),
        ("contracts", f"{CONTRACT} receipt/1"),
        *register_facts(desks),
        *more,
    ]
    if message is not None:
        facts.append(("message-sha256", sha256(message).hex()))
    return Vector(name, check, expect, comment, tuple(facts), body)
