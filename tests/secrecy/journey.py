"""The whole way of a referral, and everything that can go wrong on it, with marked texts.

    played = Journey(network, marks).play()

Each mark is random, so that finding one anywhere proves where it came from. The steps are those a
caseworker takes; between them the network is broken in every way that makes programs talk: error
messages, tracebacks, rejected letters, dead letters. It checks that each step went as meant,
because a leak is looked for only where the text really was. It searches nothing itself.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine, text

from broker.desk.client import HubRefused, Unreachable
from broker.desk.keyring import KeyRing, KeyRingFile
from broker.desk.passphrases import read_passphrase
from broker.desk.settings import DeskSettings
from broker.desk.unlocking import Desk, unlock
from broker.service.database import open_engine
from broker.service.settings import database_url, read_settings
from contracts.encoding import dump_json
from contracts.examples import example_request
from contracts.identifiers import Mid, parse_org_id
from contracts.messages import CONTRACT, render_body
from contracts.sealing import Plaintext, Sealed, seal
from tests.secrecy.network import DeskAt, Network, Said
from tests.secrecy.scanner import Secret
from tests.secrecy.spy import Spy, spying
from tests.services.processes import Child, wait_until
from tests.services.rabbitmq import Vhost

# Letters that Unicode neither composes nor takes apart, and no mark alone.
_BANGLA: Final = "অআইউএওকখগঘচছজঝটঠডঢণতথদধনপফবভমযরলশষসহ"

_ON_THE_WAY: Final = (
    "SELECT count(*) FROM acceptance"
    " WHERE NOT EXISTS (SELECT 1 FROM copy WHERE copy.eid = acceptance.eid)"
)


def bangla_mark() -> str:
    """Random letters of a script outside ASCII."""
    return "".join(random.choices(_BANGLA, k=12))


def ascii_mark() -> str:
    """Random letters and digits, fit for every field that takes a label."""
    return f"Q{secrets.token_hex(9)}z"[:20]


@dataclass(frozen=True, slots=True)
class Marks:
    """What is searched for afterwards; see `secrets_of` for what each is."""

    note: str = field(default_factory=ascii_mark, repr=False)
    note_foreign: str = field(default_factory=bangla_mark, repr=False)
    label: str = field(default_factory=ascii_mark, repr=False)
    stray: str = field(default_factory=ascii_mark, repr=False)
    stray_foreign: str = field(default_factory=bangla_mark, repr=False)
    knock: str = field(default_factory=ascii_mark, repr=False)
    knock_foreign: str = field(default_factory=bangla_mark, repr=False)
    wanted: str = field(default_factory=ascii_mark, repr=False)
    wanted_foreign: str = field(default_factory=bangla_mark, repr=False)
    consent: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    wrong_passphrase: str = field(default_factory=lambda: f"fig {ascii_mark()}", repr=False)
    passphrases: tuple[str, str] = field(
        default_factory=lambda: (f"quartz {ascii_mark()}", f"meadow {bangla_mark()}"), repr=False
    )

    def secrets(self) -> list[Secret]:
        """What the test knows before anything runs."""
        ours, theirs = self.passphrases
        return [
            Secret("the note", "note", self.note),
            Secret("the note in Bangla", "note", self.note_foreign),
            Secret("a label", "label", self.label),
            Secret("a misplaced text", "stray", self.stray),
            Secret("a misplaced text in Bangla", "stray", self.stray_foreign),
            Secret("a stranger's text", "knock", self.knock),
            Secret("a stranger's text in Bangla", "knock", self.knock_foreign),
            Secret("a search", "search", self.wanted),
            Secret("a search in Bangla", "search", self.wanted_foreign),
            Secret("the consent's number", "id", self.consent, thorough=False),
            Secret("a wrong passphrase", "key", self.wrong_passphrase),
            Secret("a passphrase", "key", ours),
            Secret("the other passphrase", "key", theirs),
        ]


@dataclass(slots=True)
class Journey:
    """One journey through one network. Afterwards it knows the secrets that came into being."""

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

    @contextmanager
    def played(self) -> Iterator[None]:
        """Play it. In the block no desk is unlocked any more, and the hub and the relay run."""
        with self._stack:
            self._start("directory")
            self._found_organisations()
            self._search()
            self._send_while_hub_is_down()
            self._open_hub()
            self._send_while_relay_is_down()
            reference = self._receive_with_a_broken_system()
            self._send_what_the_receiver_must_reject()
            self._answer(reference)
            self._read_in_a_browser()
            self._make_mistakes()
            self._knock_as_a_stranger()
            self._break_tables()
            self._lose_the_directory()
            self.network.watcher.look()
            self.born += self._tokens()
            yield

    def stop_servers(self) -> None:
        """As their operator does, so that they write what they still hold."""
        for name in reversed(list(self._servers)):
            self._stop(name)

    # -- founding ---------------------------------------------------------------------------------

    def _found_organisations(self) -> None:
        network = self.network
        desks = [
            network.new_desk(name, passphrase)
            for name, passphrase in zip(("my", "bd"), self.marks.passphrases, strict=True)
        ]
        self.ours, self.theirs = desks
        for desk, made in zip(desks, self._at_once(*map(self._init, desks)), strict=True):
            self._orgs[desk.name] = made.value["org"]
            self._remember_keys(desk)
        self._at_once(*map(self._admit, desks))
        listing = network.folder / "listing.csv"
        listing.write_text(_listing(self._orgs["bd"]), encoding="utf-8")
        self._operate("import", listing)

    def _admit(self, desk: DeskAt) -> Callable[[], Said]:
        admission = self.network.folder / f"admission-{desk.name}.json"
        return lambda: self._operate("import-org", admission)

    def _init(self, desk: DeskAt) -> Callable[[], Said]:
        return self._desk(
            "init", desk, "init", "--country", desk.name, "--kind", "ngo",
            "--root-key-file", self.network.kept_apart / f"stick-{desk.name}.key",
            "--admission-file", self.network.folder / f"admission-{desk.name}.json", "--json",
        )  # fmt: skip

    def _remember_keys(self, desk: DeskAt) -> None:
        ring = _ring(desk)
        self.born += [
            Secret(f"the signing seed of {desk.name}", "key", ring.signing.seed),
            Secret(f"the archive key of {desk.name}", "key", ring.archive_key),
            *(
                Secret(f"a week's secret of {desk.name}", "key", week.secret, thorough=False)
                for week in ring.weeks[:2]
            ),
        ]

    def _search(self) -> None:
        wanted = self._wanted()
        nothing, found = self._at_once(
            self._desk("find", self.ours, "find", wanted, "--country", "bd", "--json"),
            self._desk("find listed", self.ours, "find", "--service", "shelter", "--json"),
        )
        assert nothing.value["total"] == 0
        [service] = found.value["services"]
        assert service["org"] == self._orgs["bd"]
        self.service = service["service_id"]

    # -- sending ----------------------------------------------------------------------------------

    def _send_while_hub_is_down(self) -> None:
        self.body = self._request()
        sent = self._desk("send", self.ours, *self._send_words(), given=_json(self.body))().value
        assert (sent["state"], sent["kept"]) == ("draft", True)
        self._remember_reference(sent)

    def _open_hub(self) -> None:
        if self.vhost is not None:
            declared = self.network.run(
                "declare", self.network.hub_environ, "rujukan-hub", "declare", "--json"
            )
            assert declared.code == 0, declared.err.decode()
            self.spy = self._stack.enter_context(spying(self.vhost))
            self._start("relay")
        self._start("hub")
        self.database = open_engine(read_database(self.network.backing.hub_database))
        self._stack.callback(self.database.dispose)

    def _send_while_relay_is_down(self) -> None:
        if self.vhost is not None:
            self._stop("relay")
        sent = self._desk("send", self.ours, *self._send_words(), given=_json(self.body))().value
        assert sent["state"] == "sent"
        self._remember_reference(sent)
        if self.vhost is not None:
            waiting = self._count("outbox")
            assert waiting == 2, f"{waiting} envelopes wait for the relay"
            self._start("relay")
        self._wait_for_mail()

    def _receive_with_a_broken_system(self) -> str:
        """Its first message makes the receiver's own system fail, loudly; the second is taken."""
        network = self.network
        program, seen = network.kept_apart / "system.py", network.folder / "system-seen"
        taken = network.kept_apart / "taken"
        seen.mkdir()
        program.write_text(_SYSTEM.format(taken=str(taken), seen=str(seen)), encoding="utf-8")
        command = shlex.join([sys.executable, str(program)])
        said = self._desk("consume", self.theirs, "consume", "--once", "--exec", command)()
        assert said.code == 1, said
        first, second = (json.loads(line) for line in taken.read_bytes().splitlines())
        assert first["message"]["body"]["note"]["text"] == self._note()
        assert second["message"]["body"]["consent"]["card_version"] == self.marks.label
        return str(second["reference"])

    def _send_what_the_receiver_must_reject(self) -> None:
        """Sealed as it should be, by a program that skips the checks of ours."""
        with self._unlocked(self.ours) as desk:
            for plaintext in self._broken_plaintexts():
                desk.hub.submit(self._sealed(desk, plaintext).body)
            altered = self._sealed(desk, _json(self.body))
            desk.hub.submit(altered.body)
            with pytest.raises(HubRefused):
                desk.hub.submit(_flipped(self._sealed(desk, _json(self.body)).body))
        sent = len(self._broken_plaintexts()) + 1
        self._wait_for_mail()
        self._write(
            "UPDATE envelope SET body = :body WHERE eid = :eid",
            body=_flipped(altered.body),
            eid=altered.eid,
        )
        if self.vhost is not None:
            self._publish_altered(altered)
        inbox = self._desk("inbox", self.theirs, "inbox", "--json")()
        assert len(inbox.value["cases"]) == 2
        rejected = inbox.err.count(b"envelope_rejected")
        assert rejected == sent, f"{rejected} of {sent} broken letters were rejected"

    def _publish_altered(self, sealed: Sealed) -> None:
        """Into both of the hub's exchanges, where only it may publish."""
        assert self.spy is not None
        before = self._count("dead_letter")
        for exchange, key in (("submit", "x"), ("deliver", "mailbox"), ("deliver", "no.such.box")):
            self.spy.channel.basic_publish(exchange, key, _flipped(sealed.body))
        wait_until(
            lambda: self._count("dead_letter") >= before + 3, "three dead letters", seconds=30
        )

    def _broken_plaintexts(self) -> tuple[bytes, ...]:
        """Each breaks another rule, with marks in the value, the name and outside any JSON."""
        marks = self.marks
        message: dict[str, Any] = {
            "type": "referral.requested", "v": "0.1", "id": secrets.token_hex(16),
            "referral_ref": secrets.token_hex(16), "after": [], "at": "2026-11-20T00:00:00Z",
        }  # fmt: skip
        return (
            f"{marks.stray} {marks.stray_foreign}".encode(),
            _json(message | {"body": self.body | {"urgency": marks.stray}}),
            _json(message | {"body": self.body | {marks.stray: {marks.stray_foreign: marks.note}}}),
            _json(message | {"type": marks.stray, "v": marks.stray_foreign, "body": self.body}),
            _json(message | {"body": self._consent_for("bd-00000000000000aa")}),
        )

    # -- answering --------------------------------------------------------------------------------

    def _answer(self, reference: str) -> None:
        marks = self.marks
        answer = {
            "focal_role": "caseworker",
            "own_case": marks.label,
            "note": {"text": self._note(), "language": "ben"},
        }
        self._at_once(
            self._desk("show", self.theirs, "show", reference),
            self._desk("show --note", self.theirs, "show", reference, "--note", "--json"),
        )
        [shown] = self.network.stdout_of("show --note")
        assert marks.note in shown.data.decode()
        assert marks.note_foreign in json.dumps(json.loads(shown.data), ensure_ascii=False)
        words = ("answer", reference, "accept", "--body", "-", "--json")
        said = self._desk("answer", self.theirs, *words, given=_json(answer))()
        assert said.value["sent"] == ["referral.acknowledged", "referral.accepted"]
        self._wait_for_mail()
        cases = self._desk("inbox", self.ours, "inbox", "--json")().value["cases"]
        assert "accepted" in {one["state"] for one in cases}

    def _read_in_a_browser(self) -> None:
        """What a browser would ask of the web desk, and what it should not."""
        marks, cut = self.marks, {"follow_redirects": True, "trust_env": False, "timeout": 30}
        with self.network.web_desk(self.theirs) as link, httpx.Client(**cut) as browser:  # type: ignore[arg-type]  # mypy joins the values' types
            origin = link.partition("/start/")[0]
            browser.headers["Origin"] = origin
            inbox = browser.get(link).text
            self.born.append(Secret("a browser's session", "key", _cookie(browser)))
            case = browser.get(origin + _first(r"/cases/[0-9a-f]{32}", inbox)).text
            note = browser.get(origin + _first(r"/cases/[0-9a-f]{32}/notes/[0-9a-f]{32}", case))
            assert marks.note in note.text
            assert marks.note_foreign in note.text
            csrf = {"csrf": _first(r'name="csrf"\s+value="([^"]+)"', case)}
            self.born.append(Secret("a form's token", "key", csrf["csrf"]))
            found = browser.post(f"{origin}/find", data=csrf | {"text": self._wanted()})
            assert found.status_code == 200
            form = csrf | {"to": self._orgs["my"], "step": "check", "note.text": self._note(),
                           "urgency": marks.stray, marks.stray: marks.stray_foreign}  # fmt: skip
            assert browser.post(f"{origin}/refer", data=form).status_code == 422
            browser.get(f"{origin}/{marks.knock}?{marks.knock}={quote(marks.knock_foreign)}")
            browser.get(f"{origin}/start/{marks.knock}", headers={"Host": marks.knock})
            browser.post(f"{origin}/lock", data=csrf)
            wrong = form | {"passphrase": marks.wrong_passphrase}
            assert browser.post(f"{origin}/refer", data=wrong).status_code >= 400

    # -- going wrong ------------------------------------------------------------------------------

    def _make_mistakes(self) -> None:
        marks, body = self.marks, self.body
        wrong = self.network.kept_apart / "passphrase-wrong"
        wrong.write_text(marks.wrong_passphrase, encoding="utf-8")
        forgetful = {**self.ours.environ, "RUJUKAN_PASSPHRASE_FILE": str(wrong)}
        misplaced = {
            "urgency": marks.stray,
            "note": {"text": self._note(), "language": marks.stray},
            marks.stray: marks.stray_foreign,
            marks.stray_foreign: {marks.note: 1},
        }
        cut_short = f'{{"note": {{"text": "{marks.note} {marks.note_foreign}'
        bodies = _json(body | misplaced), cut_short.encode()
        said = self._at_once(
            *(
                self._desk("refused send", self.ours, *self._send_words(), given=one)
                for one in bodies
            ),
            lambda: self.network.run("wrong passphrase", forgetful, "rujukan", "inbox"),
        )
        assert [one.code for one in said] == [1] * len(said), said

    def _knock_as_a_stranger(self) -> None:
        """Requests that no desk makes, with marks wherever a request has room for them."""
        mark, foreign = self.marks.knock, quote(self.marks.knock_foreign)
        for server in (self.network.hub, self.network.directory):
            with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as http:
                http.headers.update({"X-Mark": mark, "Authorization": f"Bearer {mark}"})
                for path in (f"/{mark}/{foreign}", f"/v1/notices/{mark}", f"/en/?q={mark}{foreign}",
                             f"/services?search={mark}{foreign}", f"/services?{mark}={foreign}",
                             f"/log/leaves?from={mark}&to=1"):  # fmt: skip
                    http.get(path)
                for path in ("/v1/login", "/v1/envelopes", "/v1/mailbox/lease", "/v1/login/nonce",
                             "/log/statements", "/services"):  # fmt: skip
                    for body in (mark.encode(), _json({mark: mark}), _json({"b": mark, "s": mark})):
                        http.post(path, content=body, headers={"Content-Type": "application/json"})

    def _break_tables(self) -> None:
        """With a table gone, the servers answer 500 and log where; a query's values are near."""
        ours = self.network.backing
        listings = open_engine(read_database(ours.directory_database))
        wanted = _json({"search": self._wanted()})
        try:
            with _without_table(listings, "generation"):
                answer = httpx.post(
                    f"{self.network.directory.url}/services",
                    content=wanted,
                    headers={"Content-Type": "application/json"},
                    trust_env=False,
                    timeout=20,
                )
                assert answer.status_code >= 500, answer.status_code
        finally:
            listings.dispose()
        with (
            self._unlocked(self.ours) as desk,
            _without_table(self.database, "acceptance"),
            pytest.raises(Unreachable),
        ):
            desk.hub.submit(self._sealed(desk, _json(self.body)).body)

    def _lose_the_directory(self) -> None:
        self._stop("directory")
        wanted = self._wanted()
        lost, _ = self._at_once(
            self._desk("find", self.ours, "find", wanted),
            self._desk("status", self.theirs, "status"),
        )
        assert lost.code == 1, lost

    # -- what the steps stand on ------------------------------------------------------------------

    def _request(self) -> dict[str, Any]:
        """The example, with a mark wherever the schema takes a word that is no code."""
        example = example_request(
            recipient=parse_org_id(self._orgs["bd"]), service_id=self.service, now=int(time.time())
        )
        body: dict[str, Any] = json.loads(dump_json(render_body(example)))
        body["note"] = {"text": self._note(), "language": "ben"}
        body["consent"] |= {"id": self.marks.consent, "card_version": self.marks.label}
        zone = f"Asia/{self.marks.label}"
        window = {"zone": zone, "days": ["mon"], "from": "09:00", "to": "10:00"}
        body["safety"] |= {"contact_mode": "direct", "channels": ["call"], "windows": [window]}
        return body

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


@contextmanager
def _without_table(engine: Engine, name: str) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {name}_away RENAME TO {name}"))


def _ring(desk: DeskAt) -> KeyRing:
    passphrase = read_passphrase(desk.passphrase_file, ask=lambda _: "", prompt="")
    return KeyRingFile.unlock(desk.home, passphrase).ring


def _first(pattern: str, page: str) -> str:
    """The first group of the first match, or the match."""
    found = re.search(pattern, page)
    assert found, "the page has no such place"
    return found[found.re.groups]


def _cookie(browser: httpx.Client) -> str:
    [value] = browser.cookies.values()
    return value


def _flipped(body: bytes) -> bytes:
    """The same envelope with one bit of its ciphertext changed."""
    envelope = json.loads(body)
    first = "B" if envelope["c"][0] == "A" else "A"
    envelope["c"] = first + envelope["c"][1:]
    return json.dumps(envelope, separators=(",", ":")).encode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _listing(org: str) -> str:
    row = {
        "org_id": org, "org_name": "Asha DEMO", "org_kind": "ngo", "demo": "yes",
        "org_description": "DEMO fictional", "service_key": "shelter",
        "service_name": "Asha shelter DEMO", "description": "DEMO fictional",
        "services": "shelter", "languages": "ben;eng", "country": "BD",
        "confirmed_on": "2026-10-05",
    }  # fmt: skip
    return "\n".join(",".join(line) for line in (list(row), list(row.values()))) + "\n"


# The receiver's own system: keeps what it is given, tells what it was started with, and once
# fails as programs do, with the message in its output and its traceback.
_SYSTEM: Final = """
import os, pathlib, sys
line = sys.stdin.buffer.read()
taken, seen = pathlib.Path({taken!r}), pathlib.Path({seen!r})
first = not taken.exists()
with taken.open("ab") as file:
    file.write(line)
pathlib.Path(seen, "environ").write_bytes(pathlib.Path("/proc/self/environ").read_bytes())
pathlib.Path(seen, "cmdline").write_bytes(pathlib.Path("/proc/self/cmdline").read_bytes())
if first:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    raise ValueError(line.decode())
"""
