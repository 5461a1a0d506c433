"""Coordinators of a fictional network, for every test in which an organisation is admitted.

An organisation's first statement counts only after two coordinators of different countries have
vouched for it, in demonstrations too. Their keys come from their names.

    root = parse_root(demo_root(net=NET))
    for statement in Vouchers(NET).admitted(first, iat=now): register.apply(Leaf(statement, now))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.contents import read_content
from contracts.drafting import vouch_statement
from contracts.encoding import h256
from contracts.identifiers import OrgId
from contracts.log import Leaf
from contracts.register import Register
from contracts.root import Coordinator, Hub, make_root
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement, first_heading


@dataclass(frozen=True, slots=True)
class Signer:
    """A coordinator with the secret key."""

    id: OrgId
    country: str

    @property
    def key(self) -> SigningKey:
        """Made of the name, so the same in every run."""
        return SigningKey.from_seed(h256(f"coordinator {self.id}".encode()))

    @property
    def public(self) -> Coordinator:
        """As a root file names it."""
        return Coordinator(self.id, self.country, self.key.public)


COORDINATORS: Final = tuple(
    Signer(OrgId(f"{country}-c00000000000000{number}"), country)
    for number, country in enumerate(("my", "bd", "id", "th"))
)


LOG_KEY: Final = SigningKey.from_seed(h256(b"the log of every test that names no other"))


def listed() -> tuple[Coordinator, ...]:
    """The coordinators of a root file."""
    return tuple(one.public for one in COORDINATORS)


def demo_root(*, net: str, hubs: Sequence[Hub] = (), log: bytes = LOG_KEY.public) -> bytes:
    """The root file of a network without witnesses."""
    return make_root(net=net, log=log, hubs=hubs, coordinators=listed())


def apply_all(register: Register, *statements: Statement, t: int) -> list[Leaf]:
    """Let statements take effect, each first word of an organisation after two words for it.

    The leaves as a log would hold them. Raises as `Register.apply`.
    """
    made: list[Leaf] = []
    for statement in statements:
        for one in (*_vouches(register, statement, iat=t), statement):
            made.append(Leaf(one, t))
            register.apply(made[-1])
    return made


def _vouches(register: Register, statement: Statement, *, iat: int) -> Iterator[Statement]:
    fields = json.loads(statement.body)
    org = fields.get("org")
    if (fields.get("typ"), fields.get("seq")) != ("org", 1) or register.organisation(org):
        return
    for by in COORDINATORS[:2]:
        heading = register.next_heading(by.id, iat=iat, org=org)
        yield vouch_statement(heading, by.key, of=statement.hash)


@dataclass
class Vouchers:
    """The first two of them, each with a chain of statements of their own."""

    net: str
    _headings: dict[OrgId, Heading] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)

    def vouches(self, first: Statement, *, iat: int) -> tuple[Statement, Statement]:
        """Their word for the organisation that begins with this statement."""
        org = read_content(first).heading.org
        one, other = (
            self.sign(
                by,
                iat=iat,
                org=org,
                make=lambda heading, key: vouch_statement(heading, key, of=first.hash),
            )
            for by in COORDINATORS[:2]
        )
        return one, other

    def admitted(self, *statements: Statement, iat: int) -> list[Statement]:
        """These statements, each first word of an organisation after the two words for it."""
        found: list[Statement] = []
        for statement in statements:
            fields = json.loads(statement.body)
            if fields.get("typ") == "org" and fields["seq"] == 1 and fields["by"] not in self._met:
                self._met.add(fields["by"])
                found += self.vouches(statement, iat=iat)
            found.append(statement)
        return found

    def sign(
        self,
        by: Signer,
        *,
        iat: int,
        make: Callable[[Heading, SigningKey], Statement],
        org: OrgId | None = None,
    ) -> Statement:
        """The next statement of this coordinator's chain, as `make` makes it."""
        begins = first_heading(net=self.net, by=by.id, iat=iat, org=org)
        heading = self._headings.get(by.id, begins)
        about = Heading(self.net, by.id, org or by.id, heading.seq, heading.prev, iat)
        statement = make(about, by.key)
        self._headings[by.id] = about.following(statement, iat=iat)
        return statement
