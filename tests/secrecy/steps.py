"""What the steps of a journey stand on: commands, servers, a desk in our own hands, waiting.

It knows the network and the marks, and no step.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, text

from broker.desk.passphrases import read_passphrase
from broker.desk.settings import DeskSettings
from broker.desk.unlocking import Desk, unlock
from broker.service.settings import database_url, read_settings
from contracts.examples import example_body, example_request
from contracts.identifiers import Mid, parse_org_id
from contracts.messages import CONTRACT, render_body
from contracts.sealing import Plaintext, Sealed, seal
from tests.secrecy.marks import Marks
from tests.secrecy.network import DeskAt, Network, Said
from tests.secrecy.scanner import Secret
from tests.secrecy.spy import Spy
from tests.services.processes import Child, wait_until
from tests.services.rabbitmq import Vhost

_ON_THE_WAY: Final = (
    "SELECT count(*) FROM acceptance"
    " WHERE NOT EXISTS (SELECT 1 FROM copy WHERE copy.eid = acceptance.eid)"
)


@dataclass(slots=True)
class Steps:
    """One journey through one network. `born`: the secrets that came into being on the way."""

    network: Network
    marks: Marks
    vhost: Vhost | None = None
    born: list[Secret] = field(default_factory=list, repr=False)
    spy: Spy | None = None
    ours: DeskAt = field(init=False)
    theirs: DeskAt = field(init=False)
    database: Engine = field(init=False, repr=False)
    service: str = field(init=False)
    body: dict[str, Any] = field(init=False, repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)
    _orgs: dict[str, str] = field(default_factory=dict)
    _servers: dict[str, ExitStack] = field(default_factory=dict, repr=False)

    def _request(self) -> dict[str, Any]:
        """The example, with a mark wherever the schema takes a word that is no code."""
        example = example_request(
            recipient=parse_org_id(self._orgs["bd"]), service_id=self.service, now=int(time.time())
        )
        body: dict[str, Any] = json.loads(json.dumps(render_body(example)))
        body["note"] = {"text": self._note(), "language": "ben"}
        body["consent"] |= {"id": self.marks.consent, "card_version": self.marks.label}
        zone = f"Asia/{self.marks.label}"
        window = {"zone": zone, "days": ["mon"], "from": "09:00", "to": "10:00"}
        body["safety"] |= {"contact_mode": "direct", "channels": ["call"], "windows": [window]}
        return body

    def _identity(self) -> dict[str, Any]:
        """Who she is: a mark for the name, the number, the place, the words."""
        marks = self.marks
        window = self.body["safety"]["windows"][0]
        return {
            "name": {"full": marks.name, "known_as": marks.known_as, "script": "Beng"},
            "contact": {
                "mode": "direct",
                "channels": [{"kind": "call", "value": marks.number}],
                "windows": [window],
            },
            "documents": [{"kind": "passport", "number": marks.number, "held_by": "employer"}],
            "district": {"region": "BD-C", "text": marks.place},
            "code_words": {"caller_says": marks.code_word, "person_answers": marks.known_as},
            "do_not_contact": [{"role": "recruiter", "name": marks.name}],
        }

    def _way_home(self) -> dict[str, Any]:
        """A journey with a mark wherever it takes a word that is no code."""
        marks = self.marks
        body: dict[str, Any] = dict(example_body("journey.planned"))
        body["leaving"] |= {"place": marks.place}
        body["arriving"] |= {"place": marks.place}
        body["met_by"] |= {"recognition_word": marks.code_word}
        body["if_nobody_there"] |= {"text": f"{marks.known_as}, {marks.place}"}
        body["duty_numbers"] = {"referrer": marks.number, "receiver": marks.number}
        return body | {"carrier_ref": marks.code_word}

    def _wanted(self) -> str:
        return f"{self.marks.wanted} {self.marks.wanted_foreign}"

    def _note(self) -> str:
        return f'{self.marks.note} "&<>" {self.marks.note_foreign}'

    def _consent_for(self, org: str) -> dict[str, Any]:
        return self.body | {"consent": self.body["consent"] | {"recipients": [org]}}

    def _send_words(self) -> tuple[str, ...]:
        return ("send", "--to", self._orgs["bd"], "-", "--json")

    def _sealed(self, desk: Desk, plaintext: bytes) -> Sealed:
        now, to = desk.clock(), parse_org_id(self._orgs["bd"])
        device = desk.ring.device
        return seal(
            Plaintext(plaintext),
            key=desk.ring.signing,
            sender=desk.org,
            to=to,
            recipients=desk.log.register.recipients(
                to=to, sender=desk.org, sender_device=device, now=now
            ),
            contract=CONTRACT,
            mid=Mid(secrets.token_hex(16)),
            iat=now,
            exp=now + 3600,
        )

    def _remember_reference(self, sent: dict[str, Any]) -> None:
        self.born.append(Secret("a referral's number", "id", sent["referral_ref"], thorough=False))

    def _tokens(self) -> list[Secret]:
        """Every session at the hub, as its answers gave them out."""
        answers = [
            json.loads(one.answer)
            for one in self.network.hub.exchanges
            if one.path == "/v1/login" and one.status == 200
        ]
        assert answers, "nobody logged in"
        return [Secret("a session", "token", one["token"], thorough=False) for one in answers]

    def _desk(
        self, label: str, desk: DeskAt, *words: str | Path, given: bytes = b""
    ) -> Callable[[], Said]:
        return lambda: self.network.run(label, desk.environ, "rujukan", *words, given=given)

    def _operate(self, *words: str | Path) -> Said:
        environ = self.network.directory_environ
        done = self.network.run("operate", environ, "rujukan-directory", *words)
        assert done.code == 0, done.err.decode()
        return done

    def _at_once(self, *tasks: Callable[[], Said]) -> list[Said]:
        """Commands that do not depend on each other, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda task: task(), tasks))

    def _succeed(self, *tasks: Callable[[], Said]) -> None:
        """Commands, two at a time, all of which must end well."""
        for done in self._at_once(*tasks):
            assert done.code == 0, f"{done.label}: {done.err.decode()}"

    @contextmanager
    def _unlocked(self, desk: DeskAt) -> Iterator[Desk]:
        """This desk in the test's own process: what a program of our own could do."""
        settings = read_settings(DeskSettings, desk.environ)
        passphrase = read_passphrase(desk.passphrase_file, ask=lambda _: "", prompt="")
        with unlock(settings, passphrase) as opened:
            yield opened

    def _start(self, name: str) -> Child:
        self._servers[name] = stack = ExitStack()
        child = stack.enter_context(self.network.serving(name))
        self._stack.callback(stack.close)
        return child

    def _stop(self, name: str) -> None:
        """SIGTERM, and wait."""
        self._servers.pop(name).close()

    def _count(self, table: str) -> int:
        with self.database.connect() as connection:
            counted = connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own table
            return int(counted.scalar_one())

    def _wait_for_mail(self) -> None:
        """Until every accepted envelope has its copies, and nothing is left in the outbox."""

        def there() -> bool:
            with self.database.connect() as connection:
                on_the_way = connection.execute(text(_ON_THE_WAY)).scalar_one()
            return on_the_way == 0 and self._count("outbox") == 0

        wait_until(there, "all letters in the mailbox", seconds=30)

    def _write(self, statement: str, **values: object) -> None:
        with self.database.begin() as connection:
            assert connection.execute(text(statement), values).rowcount == 1


def read_database(url: str) -> str:
    """The address as SQLAlchemy takes it."""
    return database_url(url)


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
