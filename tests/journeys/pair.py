"""A referrer's and a receiver's desk on the command line, and what they agree on.

    pair = Pair(network, ours, theirs)
    reference = pair.send(body)
    agreed = pair.say("theirs", reference, "referral.acknowledged", {"by_role": "duty_officer"})
    agreed.state, agreed.lead

After everything that is said both desks are asked what they show, and must agree on the state, on
who leads and on what became of every event. It knows no step of any story.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from tests.journeys.network import CommandLineDesk, Outcome, RunningNetwork
from tests.services.processes import wait_until

T = TypeVar("T")

Json = dict[str, Any]
Who = Literal["ours", "theirs"]

# What a desk keeps or queues by what its people do.
_KEPT: Final = ("case", "entry", "letter", "early")
_SENTENCE: Final = re.compile(r"[A-Z][^\n]+\.\n")


@dataclass(frozen=True, slots=True)
class Agreed:
    """A case as both desks show it; `ours` and `theirs` hold what differs by side."""

    ours: Json = field(repr=False)
    theirs: Json = field(repr=False)

    @property
    def state(self) -> str:
        return str(self.ours["state"])

    @property
    def lead(self) -> str:
        return str(self.ours["lead"])

    def both(self, name: str) -> Any:
        """What both show under this name."""
        assert self.ours[name] == self.theirs[name], name
        return self.ours[name]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two desks of two organisations in one network."""

    network: RunningNetwork
    ours: CommandLineDesk
    theirs: CommandLineDesk

    def desk(self, who: Who) -> CommandLineDesk:
        return self.ours if who == "ours" else self.theirs

    def send(self, body: Json, *words: str) -> str:
        """Send a referral, wait until our desk knows that theirs has it; its reference."""
        sent = self.ours.json("send", "--to", self.theirs.org, *words, "-", given=as_json(body))
        assert (sent["sent"], sent["state"]) == (["referral.requested"], "sent")
        self._fetch(self.theirs, self.ours)
        return str(sent["reference"])

    def write(
        self, desk: CommandLineDesk, to: CommandLineDesk, message_type: str, body: Json
    ) -> Json:
        """Send a message apart from any case; what the other desk then shows of it."""
        words = ("send", "--to", to.org, "--type", message_type, "-")
        assert desk.json(*words, given=as_json(body))["sent"] == [message_type]
        inbox = self._fetch(to)
        newest = max((one for one in inbox["apart"] if one["by"] == "them"), key=_at)
        assert newest["type"] == message_type
        return dict(to.json("show", newest["id"], "--note"))

    def say(self, who: Who, reference: str, message_type: str, body: Json) -> Agreed:
        """Say something in a case, let the other desk fetch it, and have both show the case."""
        words = ("answer", reference, message_type, "--body", "-")
        said = self.desk(who).json(*words, given=as_json(body))
        assert (said["sent"][-1], said["kept"]) == (message_type, False)
        self._fetch(self.desk("theirs" if who == "ours" else "ours"))
        return self.agreed(reference)

    def agreed(self, reference: str) -> Agreed:
        """The case as both desks show it. They must agree."""
        desks = (self.ours, self.theirs)
        ours, theirs = at_once(lambda desk: desk.json("show", reference), desks)
        for name in ("state", "lead", "consent_until", "referral_ref"):
            assert ours[name] == theirs[name], (name, ours[name], theirs[name])
        assert _places(ours) == _places(theirs)
        return Agreed(ours, theirs)

    def standings(self) -> tuple[Json, Json]:
        """What `status` says on both desks, once all that was on its way has arrived."""
        self.network.wait_for_mail()
        ours, theirs = at_once(lambda desk: desk.json("status"), (self.ours, self.theirs))
        return ours, theirs

    def kept(self) -> Mapping[str, object]:
        """All that changes on a desk when something is kept or queued there, and what is due."""
        outstanding = [standing["outstanding"] for standing in self.standings()]
        return {"rows": [rows_of(desk) for desk in (self.ours, self.theirs)], "due": outstanding}

    def all_went_past_rabbitmq(self) -> int:
        """Wait until RabbitMQ has counted what the hub accepted: its counters lag behind."""
        self.network.wait_for_mail()
        accepted = self.network.accepted()
        wait_until(
            lambda: self.network.carried() >= accepted, f"{accepted} in RabbitMQ", seconds=30
        )
        assert self.network.carried() == accepted
        return accepted

    def _fetch(self, *desks: CommandLineDesk) -> Json:
        """Let these desks fetch, one after another; what the last one then lists."""
        listed: Json = {}
        for desk in desks:
            self.network.wait_for_mail()
            listed = desk.json("inbox")
            assert listed["troubles"] == []
        return listed


def at_once(task: Callable[[Any], T], given: Iterable[Any]) -> list[T]:
    """Two commands at a time: each spends its time on its own passphrase."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(task, given))


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def sentence_of(outcome: Outcome) -> str:
    """The one sentence of a refusal; log lines, which are JSON, are not for people."""
    told = [line for line in outcome.err.splitlines() if not line.startswith("{")]
    assert len(told) == 1, outcome
    assert _SENTENCE.fullmatch(f"{told[0]}\n"), told
    return told[0]


def rows_of(desk: CommandLineDesk) -> dict[str, int]:
    """How many cases, events and envelopes a desk keeps."""
    with closing(sqlite3.connect(f"file:{desk.home}/desk.db?mode=ro", uri=True)) as database:
        return {
            table: int(database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - our own tables
            for table in _KEPT
        }


def _places(shown: Json) -> dict[str, tuple[str, str]]:
    return {
        entry["id"]: (entry["type"], entry["place"])
        for entry in shown["entries"]
        if entry["type"] != "org.event"
    }


def _at(entry: Json) -> str:
    return str(entry["at"])
