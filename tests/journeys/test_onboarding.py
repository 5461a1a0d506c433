"""`docs/onboarding.md`, walked: two organisations join a network of real processes and real rules.

A directory, a hub, three witnesses in three countries of whom two must sign, two coordinators: each
a process, each command typed at a terminal as the document writes it. The network's name makes it
no demonstration, so nothing is easier than it will be. What each person must see at each point, and
that people need less than 20 minutes with the machines' share in it, is checked on the way.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.journeys.walkthrough import Answer, Person, Steps
from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import Child, wait_until

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "onboarding.md"
TEXT: Final = DOCUMENT.read_text(encoding="utf-8")
STEPS: Final = Steps(TEXT)
NET: Final = "rujukan.test"
WITNESSES: Final = ("my", "bd", "id")
COORDINATORS: Final = ("my", "bd")
DIGITS: Final = re.compile(r"(?<!\d)\d{5}(?: \d{5}){7}(?!\d)")
ORG: Final = re.compile(r"Your organisation's id: (\S+)")
REFERENCE: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{6}\b")
MINUTES: Final = re.compile(r"^\| [^|]+ \| [^|]+ \| (\d+) \|$", re.MULTILINE)
LIMIT_MINUTES: Final = 20
_COMPUTER: Final = "On the organisation's computer"


def keeper(passphrases: Mapping[str, str]) -> Answer:
    """Somebody who knows a passphrase for each prompt that begins so, and agrees to everything."""
    typed = [""]

    def answer(asked: str, _screen: str) -> str:
        if asked.endswith("once more"):
            return typed[-1]
        if asked.startswith("Type yes"):
            return "yes"
        known = [word for begins, word in passphrases.items() if asked.startswith(begins)]
        assert known, f"nobody knows what to type at: {asked}"
        typed.append(known[0])
        return known[0]

    return answer


@dataclass
class Coordinator:
    """Compares what is read out on the phone with the screen, and only then says yes."""

    heard: str = ""
    questions: list[str] = field(default_factory=list)

    def answer(self, asked: str, screen: str) -> str:
        if "assphrase" in asked or asked.endswith("once more"):
            return "cedar harbour lantern salt"
        assert asked.endswith("Type yes") or asked.startswith("Type yes"), asked
        self.questions.append(asked)
        return "yes" if DIGITS.findall(screen) == [self.heard] else "no"


@dataclass
class Founded:
    """The network's servers, and who runs them."""

    folder: Path
    stack: ExitStack
    urls: Mapping[str, str]
    ports: Mapping[str, int]
    witnesses: dict[str, Person] = field(default_factory=dict)
    coordinators: dict[str, Person] = field(default_factory=dict)
    minds: dict[str, Coordinator] = field(default_factory=dict)
    running: dict[str, ExitStack] = field(default_factory=dict)

    def server(self, name: str, **calls: str) -> Person:
        port = str(self.ports[name])
        variable = "RUJUKAN_WITNESS_PORT" if name.startswith("witness") else "RUJUKAN_PORT"
        known = {"NETWORK": NET, "DIRECTORY": self.urls["directory"], "HUB": self.urls["hub"]}
        return Person(self.folder / name, {**known, **calls}, keeper({}), environ={variable: port})

    def serve(self, name: str, person: Person, step: str) -> Child:
        self.running[name] = stack = ExitStack()
        self.stack.callback(stack.close)
        child = stack.enter_context(person.running(STEPS[step]))
        wait_for_port(self.ports[name], child=child, seconds=90)
        return child

    def stop(self, name: str) -> None:
        self.running.pop(name).close()

    def witness(self, country: str) -> None:
        step = "On each witness's server, with the root file"
        self.serve(f"witness-{country}", self.witnesses[country], step)

    def size(self) -> int:
        """How many statements enough witnesses have signed for."""
        answer = httpx.get(f"{self.urls['directory']}/log/checkpoint", trust_env=False)
        return int(answer.text.split("\n")[1]) if answer.status_code == 200 else -1

    def leaves(self) -> int:
        """How many statements the log has taken; a leaf begins with its length."""
        body = httpx.get(f"{self.urls['directory']}/log/leaves", trust_env=False).content
        at = count = 0
        while at < len(body):
            at, count = at + 8 + int.from_bytes(body[at : at + 8], "big"), count + 1
        return count

    def wait_for_witnesses(self) -> None:
        """Until everything that was said is signed for."""
        wait_until(lambda: self.size() == self.leaves(), "the witnesses to sign", seconds=90)


@dataclass
class Office:
    """One organisation at its computer."""

    person: Person
    org: str
    digits: str

    def status(self) -> str:
        return self.person.walk(["rujukan status"])


@pytest.fixture
def founded(tmp_path: Path) -> Iterator[Founded]:
    """The section about founding, in its order."""
    names = ("directory", "hub", *(f"witness-{country}" for country in WITNESSES))
    ports = {name: free_port() for name in names}
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    with ExitStack() as stack:
        network = Founded(tmp_path, stack, urls, ports)
        hub = network.server("hub")
        said = hub.walk(STEPS["On the hub's server"])
        key = re.search(r"Key (\S+)", said)
        assert key, said
        for country in WITNESSES:
            name = f"witness-{country}"
            calls = {"NAME": f"witness.{country}.test", "COUNTRY": country, "WITNESS": urls[name]}
            network.witnesses[country] = network.server(name, **calls)
            network.witnesses[country].walk(STEPS["On each witness's server"])
        for country in COORDINATORS:
            mind = network.minds[country] = Coordinator()
            person = Person(
                tmp_path / f"coordinator-{country}",
                {"NETWORK": NET, "COUNTRY": country, "DIRECTORY": urls["directory"]},
                mind.answer,
            )
            network.coordinators[country] = person
            person.walk(STEPS["On each coordinator's computer, before there is a root file"])
        directory = network.server("directory", HUBKEY=key[1])
        collect(directory, "witness", network.witnesses.values())
        collect(directory, "coordinator", network.coordinators.values())
        directory.walk(STEPS["On the directory's server"])
        everybody = (hub, *network.witnesses.values(), *network.coordinators.values())
        for person in everybody:
            shutil.copy(directory.folder / "root.json", person.folder)
        for country in WITNESSES:
            network.witness(country)
        network.serve("directory", directory, "On the directory's server, with the root file")
        network.serve("hub", hub, "On the hub's server, with the root file")
        for person in network.coordinators.values():
            person.walk(STEPS["On each coordinator's computer, with the root file"])
        yield network


def collect(directory: Person, name: str, people: Iterable[Person]) -> None:
    for number, person in enumerate(people, start=1):
        shutil.copy(person.folder / f"{name}.json", directory.folder / f"{name}-{number}.json")


def test_two_organisations_join_and_the_first_referral_is_stored(founded: Founded) -> None:
    began = time.monotonic()
    ours = makes_its_keys(founded, "my")
    is_vouched_for(founded, ours)
    turns_green(founded, ours)
    machines = time.monotonic() - began
    people = sum(map(int, MINUTES.findall(TEXT)))
    sys.stderr.write(f"one organisation: {people} minutes of people, {machines:.0f} s of machines")
    assert f"That is {people} minutes" in TEXT
    assert people * 60 + machines < LIMIT_MINUTES * 60

    theirs = makes_its_keys(founded, "bd")
    is_vouched_for(founded, theirs)
    founded.wait_for_witnesses()
    theirs.status()
    founded.wait_for_witnesses()
    assert f"GREEN: {theirs.org}" in theirs.status()
    a_referral_is_stored(ours, theirs)
    assert not STEPS.left, "the document has steps that nobody walked"


def makes_its_keys(founded: Founded, country: str) -> Office:
    person = Person(
        founded.folder / f"desk-{country}",
        {"DIRECTORY": founded.urls["directory"], "COUNTRY": country, "KIND": "ngo"},
        keeper({
            "Passphrase for the stick": "stick of drift wood and salt",
            "Passphrase": "fig lantern meadow quartz",
        }),
    )  # fmt: skip
    shutil.copy(founded.folder / "directory" / "root.json", person.folder)
    screen = person.walk(STEPS[_COMPUTER])
    made = ORG.search(screen)
    assert made, screen
    # init and status show the same digits: those that are read out on the phone.
    digits = DIGITS.findall(screen)
    assert len(digits) == 2
    assert len(set(digits)) == 1
    assert "WAITING for two vouches; so far: 0." in screen
    assert all(f"{one}  {one}-" in screen for one in COORDINATORS)
    return Office(person, made[1], digits[0])


def is_vouched_for(founded: Founded, office: Office) -> None:
    """A first coordinator mishears one group and signs nothing; then both compare and sign."""
    step = STEPS["On each coordinator's computer"]
    for country, person in founded.coordinators.items():
        shutil.copy(office.person.folder / "admission.json", person.folder)
        mind = founded.minds[country]
        if country == COORDINATORS[0]:
            before = founded.leaves()
            mind.heard = office.digits[::-1]
            with pytest.raises(AssertionError, match="nothing was done"):
                person.walk(step)
            assert founded.leaves() == before
        mind.heard, mind.questions = office.digits, []
        screen = person.walk(step)
        assert f"You have vouched for {office.org}" in screen
        assert len(mind.questions) == 7
        if country == COORDINATORS[0]:
            founded.wait_for_witnesses()
            assert "so far: 1." in office.person.walk(STEPS[f"{_COMPUTER}, between the calls"])


def turns_green(founded: Founded, office: Office) -> None:
    """While two of three witnesses are away nothing counts; the desk says for whom it waits."""
    founded.wait_for_witnesses()
    for country in WITNESSES[1:]:
        founded.stop(f"witness-{country}")
    after = STEPS[f"{_COMPUTER}, after both calls"]
    screen = office.person.walk(after)
    assert "waits for the network's witnesses" in screen.replace("\n", " ")
    assert "GREEN" not in screen
    for country in WITNESSES[1:]:
        founded.witness(country)
    founded.wait_for_witnesses()
    screen = office.person.walk(after)
    assert f"GREEN: {office.org} can send and receive on this computer." in screen
    shown = office.person.walk(STEPS[f"{_COMPUTER}, green"])
    assert office.digits in shown
    assert "keys 12 weeks ahead" in shown


def a_referral_is_stored(ours: Office, theirs: Office) -> None:
    sender, receiver = ours.person, theirs.person
    sender.calls["PEER"] = theirs.org
    screen = sender.walk(STEPS["On the sender's computer"])
    assert theirs.digits in screen
    sent = REFERENCE.search(screen.rpartition(theirs.digits)[2])
    assert sent, screen
    arrived = receiver.walk(STEPS["On the receiver's computer"])
    assert sent[0] in arrived
    back = sender.walk(STEPS["On the sender's computer, a moment later"])
    assert re.search(rf"{sent[0]}.*delivered", back), back
