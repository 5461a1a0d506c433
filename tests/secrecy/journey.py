"""The whole way of a referral, and everything that can go wrong on it, with marked texts.

    journey = Journey(network, Marks())
    with journey.played():
        ...  # search

The steps are those a caseworker takes; between them the network is broken in every way that makes
programs talk (`mishaps`). Each step checks that it went as meant, because a leak can be looked for
only where the text really was. It searches nothing itself.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from broker.desk.keyfile import open_key_file
from broker.desk.keyring import KeyRing, KeyRingFile
from broker.desk.paper import paper_text
from broker.desk.passphrases import read_passphrase
from broker.desk.secretfile import opened_secret
from broker.service.database import open_engine
from tests.secrecy.mishaps import Mishaps
from tests.secrecy.network import CoordinatorAt, DeskAt, Said
from tests.secrecy.scanner import Secret
from tests.secrecy.spy import spying
from tests.secrecy.steps import as_json, read_database


@dataclass(slots=True)
class Journey(Mishaps):
    """The steps that a caseworker takes, with the mishaps between them."""

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
            self._tell_who_she_is(reference)
            self._read_in_a_browser()
            self._make_mistakes()
            self._tell_too_much(reference)
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
        self._enter_network(desks)

    def _enter_network(self, desks: Sequence[DeskAt]) -> None:
        """Coordinators vouch, both desks join, one lists itself and names its recovery keys."""
        network = self.network
        listing, entries = network.folder / "listing.csv", network.folder / "entries.json"
        listing.write_text(_listing(self._orgs["bd"]), encoding="utf-8")
        self._operate("import", listing, "--out", entries)
        for desk in desks:
            admission = network.folder / f"admission-{desk.name}.json"
            self._succeed(*(self._vouch(one, admission) for one in network.coordinators))
        self._succeed(*(self._desk("join", desk, "keys", "join", "--json") for desk in desks))
        [entry] = json.loads(entries.read_bytes())["entries"]
        own = network.folder / "entry.json"
        own.write_bytes(as_json(entry))
        self._succeed(self._desk("publish", self.theirs, "listing", "publish", own, "--yes"))
        self._name_recovery_keys(self.theirs)
        for one in network.coordinators:
            self._remember_stick(f"coordinator of {one.country}", one.key_file, one.passphrase_file)

    def _vouch(self, by: CoordinatorAt, admission: Path) -> Callable[[], Said]:
        words: tuple[str | Path, ...] = ("coordinator", "vouch", admission, *by.signing)
        return lambda: self.network.run("vouch", by.environ, "rujukan", *words)

    def _name_recovery_keys(self, desk: DeskAt) -> None:
        apart, org = self.network.kept_apart, self._orgs[desk.name]
        passphrase = self.network.new_passphrase("recovery", self.marks.sticks[2])
        secret = [f"--passphrase-file={passphrase}", "--yes"]
        files = [apart / f"recovery-{number}.key" for number in (1, 2)]
        publics = [self.network.folder / f"recovery-{number}.json" for number in (1, 2)]
        self._succeed(
            *(
                self._desk("recovery", desk, "keys", "recovery-key", f"--org={org}",
                           f"--key-file={file}", f"--public={public}", *secret)
                for file, public in zip(files, publics, strict=True)
            )
        )  # fmt: skip
        stick = apart / f"stick-{desk.name}.key"
        named = [f"--public={public}" for public in publics]
        words = ("keys", "set-recovery", *named, f"--root-key-file={stick}", "--yes")
        self._succeed(self._desk("set recovery", desk, *words))
        for file in files:
            self._remember_stick(f"recovery {file.name}", file, passphrase)

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

        stick = self.network.kept_apart / f"stick-{desk.name}.key"
        self._remember_stick(f"root of {desk.name}", stick, desk.passphrase_file)

    def _remember_stick(self, name: str, file: Path, passphrase_file: Path) -> None:
        passphrase = read_passphrase(passphrase_file, ask=lambda _: "", prompt="")
        secret = opened_secret(open_key_file(file, passphrase).content, path=file)
        self.born += [
            Secret(f"the key of {name}", "key", secret.key.seed),
            Secret(f"the paper of {name}", "key", paper_text(secret), thorough=False),
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
        sent = self._desk("send", self.ours, *self._send_words(), given=as_json(self.body))().value
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
        sent = self._desk("send", self.ours, *self._send_words(), given=as_json(self.body))().value
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
        said = self._hand_over()
        assert said.code == 1, said
        first, second = (json.loads(line) for line in taken.read_bytes().splitlines())
        assert first["message"]["body"]["note"]["text"] == self._note()
        assert second["message"]["body"]["consent"]["card_version"] == self.marks.label
        return str(second["reference"])

    def _hand_over(self) -> Said:
        program = self.network.kept_apart / "system.py"
        command = shlex.join([sys.executable, str(program)])
        return self._desk("consume", self.theirs, "consume", "--once", "--exec", command)()

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
        said = self._desk("answer", self.theirs, *words, given=as_json(answer))()
        assert said.value["sent"] == ["referral.acknowledged", "referral.accepted"]
        self._wait_for_mail()
        cases = self._desk("inbox", self.ours, "inbox", "--json")().value["cases"]
        assert "accepted" in {one["state"] for one in cases}

    def _tell_who_she_is(self, reference: str) -> None:
        """Name and number, then the way home; their own system fails on the name, loudly."""
        for message_type, body in (
            ("identity.released", self._identity()),
            ("journey.planned", self._way_home()),
        ):
            words = ("answer", reference, message_type, "--body", "-", "--json")
            said = self._desk("answer", self.ours, *words, given=as_json(body))()
            assert said.value["sent"] == [message_type]
            self._wait_for_mail()
            assert self._hand_over().code == 1
        closed, opened, _ = self._at_once(
            self._desk("show", self.theirs, "show", reference, "--json"),
            self._desk("show --note", self.theirs, "show", reference, "--note", "--json"),
            self._desk("show", self.ours, "show", reference),
        )
        assert closed.value["identity_released"] is True
        told = json.dumps(opened.value, ensure_ascii=False)
        marks = self.marks
        for mark in (marks.name, marks.known_as, marks.number, marks.place, marks.code_word):
            assert mark in told

    def _read_in_a_browser(self) -> None:
        """What a browser would ask of the web desk, and what it should not."""
        marks, cut = self.marks, {"follow_redirects": True, "trust_env": False, "timeout": 30}
        with self.network.web_desk(self.theirs) as link, httpx.Client(**cut) as browser:  # type: ignore[arg-type]  # mypy joins the values' types
            origin = link.partition("/start/")[0]
            browser.headers["Origin"] = origin
            inbox = browser.get(link).text
            self.born.append(Secret("a browser's session", "key", _cookie(browser)))
            case = browser.get(origin + _first(r"/cases/[0-9a-f]{32}", inbox)).text
            closed = re.findall(r"/cases/[0-9a-f]{32}/notes/[0-9a-f]{32}", case)
            opened = "".join(browser.get(origin + one).text for one in dict.fromkeys(closed))
            for mark in (marks.note, marks.note_foreign, marks.name, marks.number, marks.place):
                assert mark not in case
                assert mark in opened
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


def _listing(org: str) -> str:
    row = {
        "org_id": org, "org_name": "Asha DEMO", "org_kind": "ngo", "demo": "yes",
        "org_description": "DEMO fictional", "service_key": "shelter",
        "service_name": "Asha shelter DEMO", "description": "DEMO fictional",
        "services": "shelter", "languages": "ben;eng", "country": "BD",
        "confirmed_on": "2026-10-05",
    }  # fmt: skip
    return "\n".join(",".join(line) for line in (list(row), list(row.values()))) + "\n"


# The receiver's own system: keeps what it is given, tells what it was started with, and fails, at
# first and on a name, as programs do: with the message in its output and its traceback.
_SYSTEM: Final = """
import os, pathlib, sys
line = sys.stdin.buffer.read()
taken, seen = pathlib.Path({taken!r}), pathlib.Path({seen!r})
fails = not taken.exists() or b'"identity.released"' in line
with taken.open("ab") as file:
    file.write(line)
pathlib.Path(seen, "environ").write_bytes(pathlib.Path("/proc/self/environ").read_bytes())
pathlib.Path(seen, "cmdline").write_bytes(pathlib.Path("/proc/self/cmdline").read_bytes())
if fails:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    raise ValueError(line.decode())
"""
