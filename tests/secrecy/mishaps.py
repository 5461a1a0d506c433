"""Everything that can go wrong on the way of a referral, and makes programs talk.

Letters that the receiver must reject, mistakes of people, strangers at the door, servers whose
tables are gone. Each step checks that it went wrong as meant.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Engine, text

from broker.desk.client import HubRefused, Unreachable
from broker.service.database import open_engine
from contracts.messages import VERSION
from contracts.sealing import Sealed
from tests.secrecy.steps import Steps, as_json, read_database
from tests.services.processes import wait_until


@dataclass(slots=True)
class Mishaps(Steps):
    """The steps that go wrong."""

    def _send_what_the_receiver_must_reject(self) -> None:
        """Sealed as it should be, by a program that skips the checks of ours."""
        with self._unlocked(self.ours) as desk:
            for plaintext in self._broken_plaintexts():
                desk.hub.submit(self._sealed(desk, plaintext).body)
            altered = self._sealed(desk, as_json(self.body))
            desk.hub.submit(altered.body)
            with pytest.raises(HubRefused):
                desk.hub.submit(_flipped(self._sealed(desk, as_json(self.body)).body))
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
            "type": "referral.requested", "v": VERSION, "id": secrets.token_hex(16),
            "referral_ref": secrets.token_hex(16), "after": [], "at": "2026-11-20T00:00:00Z",
        }  # fmt: skip
        return (
            f"{marks.stray} {marks.stray_foreign}".encode(),
            as_json(message | {"body": self.body | {"urgency": marks.stray}}),
            as_json(
                message | {"body": self.body | {marks.stray: {marks.stray_foreign: marks.note}}}
            ),
            as_json(message | {"type": marks.stray, "v": marks.stray_foreign, "body": self.body}),
            as_json(message | {"body": self._consent_for("bd-00000000000000aa")}),
        )

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
        bodies = as_json(body | misplaced), cut_short.encode()
        said = self._at_once(
            *(
                self._desk("refused send", self.ours, *self._send_words(), given=one)
                for one in bodies
            ),
            lambda: self.network.run("wrong passphrase", forgetful, "rujukan", "inbox"),
        )
        assert [one.code for one in said] == [1] * len(said), said

    def _tell_too_much(self, reference: str) -> None:
        """Names in a note, in the names of members and where a code belongs."""
        marks = self.marks
        draft = self.network.kept_apart / "identity.json"
        draft.write_bytes(as_json(self._identity()))
        named = self.body | {"note": {"text": f"{marks.known_as} {marks.name}", "language": "ben"}}
        misplaced = {marks.name: {marks.known_as: marks.number}, "by": marks.place}
        words = ("answer", reference, "--json", "--body", "-")
        said = self._at_once(
            self._desk(
                "refused send", self.ours, *self._send_words(), "--identity", draft,
                given=as_json(named),
            ),
            self._desk(
                "refused answer", self.ours, *words, "identity.released",
                given=as_json(self._identity() | misplaced),
            ),
            self._desk(
                "refused answer", self.ours, *words, "journey.changed",
                given=as_json(self._way_home() | misplaced),
            ),
        )  # fmt: skip
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
                             "/log/statements", "/blobs", "/services"):  # fmt: skip
                    for body in (
                        mark.encode(),
                        as_json({mark: mark}),
                        as_json({"b": mark, "s": mark}),
                    ):
                        http.post(path, content=body, headers={"Content-Type": "application/json"})

    def _break_tables(self) -> None:
        """With a table gone, the servers answer 500 and log where; a query's values are near."""
        ours = self.network.backing
        listings = open_engine(read_database(ours.directory_database))
        wanted = as_json({"search": self._wanted()})
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
            desk.hub.submit(self._sealed(desk, as_json(self.body)).body)

    def _lose_the_directory(self) -> None:
        self._stop("directory")
        wanted = self._wanted()
        lost, _ = self._at_once(
            self._desk("find", self.ours, "find", wanted),
            self._desk("status", self.theirs, "status"),
        )
        assert lost.code == 1, lost


@contextmanager
def _without_table(engine: Engine, name: str) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}_away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {name}_away RENAME TO {name}"))


def _flipped(body: bytes) -> bytes:
    """The same envelope with one bit of its ciphertext changed."""
    envelope = json.loads(body)
    first = "B" if envelope["c"][0] == "A" else "A"
    envelope["c"] = first + envelope["c"][1:]
    return json.dumps(envelope, separators=(",", ":")).encode()
