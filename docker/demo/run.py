"""`make run`: a whole network on one machine, and one sealed referral across a border.

Starts a directory, a hub and the desks of two fictional organisations (Malaysia, Bangladesh),
plays the two coordinators who vouch for them and both caseworkers once, shows after each step what
the hub could see of it, and stays up until it is told to stop. It imports nothing of ours: every
step is a command that a user could type, so what works here works by hand. All state is in
`.demo/`; everything in it is fictional.

Settings, all optional: RUJUKAN_PORT_BASE (8000), RUJUKAN_DEMO_FOLDER (`.demo`), RUJUKAN_QUEUE_URL
and RUJUKAN_QUEUE_MANAGEMENT_URL (every envelope then goes through that RabbitMQ).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
STATE: Final = Path(
    os.environ.get("RUJUKAN_DEMO_FOLDER") or HERE.parent.parent / ".demo"
).absolute()
COMMANDS: Final = Path(sys.executable).parent
NET: Final = "demo.rujukan.example"
START_SECONDS: Final = 60  # a cold machine compiles every module at its first start
ANSWER_SECONDS: Final = 60
QUEUE: Final = ("RUJUKAN_QUEUE_URL", "RUJUKAN_QUEUE_MANAGEMENT_URL")
# What this shell may have set for another installation must not reach the demonstration.
CLEAN: Final = {k: v for k, v in os.environ.items() if not k.startswith("RUJUKAN_")}
RULE: Final = "-" * 72


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each part listens; the desks stand a hundred above, as the README says."""

    base: int

    @property
    def directory(self) -> str:
        return f"http://127.0.0.1:{self.base}"

    @property
    def hub(self) -> str:
        return f"http://127.0.0.1:{self.base + 1}"


@dataclass(frozen=True, slots=True)
class Organisation:
    """One of the two that get a desk. `placeholder` stands for its id in the listings."""

    country: str
    name: str
    placeholder: str
    offset: int

    @property
    def home(self) -> Path:
        return STATE / f"desk-{self.country}"

    @property
    def stick(self) -> Path:
        return STATE / f"stick-{self.country}"

    @property
    def passphrase(self) -> Path:
        return STATE / f"passphrase-{self.country}"


@dataclass(frozen=True, slots=True)
class Coordinator:
    """One of the two people without whose word nobody is admitted to this network."""

    country: str

    @property
    def home(self) -> Path:
        return STATE / f"coordinator-{self.country}"

    @property
    def key_file(self) -> Path:
        return self.home / "coordinator.key"

    @property
    def public(self) -> Path:
        return self.home / "public.json"

    @property
    def passphrase(self) -> Path:
        return self.home / "passphrase"

    @property
    def signing(self) -> list[str]:
        """How their commands find their key; both agree to everything here."""
        files = [f"--key-file={self.key_file}", f"--passphrase-file={self.passphrase}"]
        return [*files, "--yes"]


COORDINATORS: Final = (Coordinator("my"), Coordinator("bd"))
MALAYSIA: Final = Organisation("my", "Harapan Bakti DEMO, Malaysia", "{my_org}", 101)
BANGLADESH: Final = Organisation("bd", "Shapla Punorbashon DEMO, Bangladesh", "{bd_org}", 102)


@dataclass(slots=True)
class Network:
    """The processes of this run; ended in the reverse of the order they were started in."""

    running: list[tuple[str, subprocess.Popen[str]]] = field(default_factory=list)

    def start(self, name: str, argv: list[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
        with (STATE / "logs" / f"{name}.log").open("ab") as log:
            # A session of its own: Ctrl-C reaches us alone, and we end them in order.
            process = subprocess.Popen(
                [str(COMMANDS / argv[0]), *argv[1:]],
                env={**CLEAN, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.running.append((name, process))
        return process

    def dead(self) -> str | None:
        return next((name for name, process in self.running if process.poll() is not None), None)

    def stop(self) -> None:
        for _name, process in reversed(self.running):
            process.terminate()
        for name, process in reversed(self.running):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                say(f"   {name} did not end in 15 seconds and was killed.")
                process.kill()
                process.wait()


def say(text: str = "") -> None:
    print(text, flush=True)


def give_up(sentence: str) -> NoReturn:
    say()
    say(f"Stopped: {sentence}")
    say(f"Nothing is lost: the state stays in {relative(STATE)}, with the logs in its folder logs.")
    say("`make run` goes on with it; `make clean-demo` would forget it.")
    raise SystemExit(1)


def relative(path: Path) -> str:
    return os.path.relpath(path)


def run(
    argv: list[str], env: Mapping[str, str], *, stdin: str | None = None, lines: bool = False
) -> Any:
    """Run one of our commands with --json and give back what it printed; `lines`: one a line."""
    done = subprocess.run(
        [str(COMMANDS / argv[0]), *argv[1:], "--json"],
        env={**CLEAN, **env},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        give_up(f"`{' '.join(argv[:2])}` said: {(done.stderr or done.stdout).strip()}")
    if lines:
        return [json.loads(line) for line in done.stdout.splitlines()]
    return json.loads(done.stdout)


def wait_until_answering(name: str, url: str, network: Network) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own literal http address
                return
        except (urllib.error.URLError, OSError):
            if network.dead():
                break
            time.sleep(0.1)
    give_up(f"the {name} did not answer at {url}. Is the port taken? Set RUJUKAN_PORT_BASE.")


def refuse_taken_ports(at: Addresses) -> None:
    """Another server's answer on one of our ports would look like our own."""
    for offset in (0, 1, MALAYSIA.offset, BANGLADESH.offset):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", at.base + offset))
            except OSError:
                give_up(f"port {at.base + offset} is taken. Choose others: RUJUKAN_PORT_BASE=9000.")


def directory_env(at: Addresses) -> dict[str, str]:
    return {
        "RUJUKAN_DATABASE_URL": f"sqlite:///{STATE / 'directory.sqlite'}",
        "RUJUKAN_INDEX_FILE": str(STATE / "search.sqlite"),
        "RUJUKAN_ROOT_FILE": str(STATE / "root.json"),
        "RUJUKAN_LOG_KEY_FILE": str(STATE / "log.key"),
        "RUJUKAN_PORT": str(at.base),
    }


def hub_env(at: Addresses) -> dict[str, str]:
    queue = {name: os.environ[name] for name in QUEUE if os.environ.get(name)}
    return queue | {
        "RUJUKAN_DATABASE_URL": f"sqlite:///{STATE / 'hub.sqlite'}",
        "RUJUKAN_DIRECTORY_URL": at.directory,
        "RUJUKAN_HUB_KEY_FILE": str(STATE / "hub.key"),
        "RUJUKAN_ROOT_FILE": str(STATE / "root.json"),
        "RUJUKAN_ROUTES_FILE": str(HERE / "routes.json"),
        "RUJUKAN_PORT": str(at.base + 1),
    }


def desk_env(at: Addresses, who: Organisation) -> dict[str, str]:
    return {
        "RUJUKAN_HOME": str(who.home),
        "RUJUKAN_DIRECTORY_URL": at.directory,
        "RUJUKAN_PASSPHRASE_FILE": str(who.passphrase),
        "RUJUKAN_ROOT_FILE": str(STATE / "root.json"),
        "RUJUKAN_ROUTES_FILE": str(HERE / "routes.json"),
    }


def coordinator_env(at: Addresses, who: Coordinator) -> dict[str, str]:
    return {
        "RUJUKAN_HOME": str(who.home),
        "RUJUKAN_DIRECTORY_URL": at.directory,
        "RUJUKAN_ROOT_FILE": str(STATE / "root.json"),
    }


def refuse_other_ports(at: Addresses) -> None:
    """The hub's address stands in the root file, which nobody changes."""
    remembered = STATE / "port-base"
    if not remembered.exists():
        remembered.write_text(str(at.base), encoding="ascii")
    base = remembered.read_text(encoding="ascii")
    if base != str(at.base):
        give_up(f"this demonstration was made for other ports: use RUJUKAN_PORT_BASE={base}.")


def write_environment(at: Addresses, who: Organisation) -> None:
    """What a shell needs to run this desk's commands by hand: `. .demo/env-my`."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in desk_env(at, who).items()]
    (STATE / f"env-{who.country}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_network_files(at: Addresses) -> None:
    """The hub's key, and the root file that every client trusts from the start."""
    if (STATE / "root.json").exists():
        return
    say("1. The hub and two coordinators make their keys; the network's root file names them.")
    key = run(["rujukan-hub", "key"], {"RUJUKAN_HUB_KEY_FILE": str(STATE / "hub.key")})
    for who in COORDINATORS:
        make_coordinator(who)
    run(
        [
            "rujukan-directory",
            "root-file",
            f"--net={NET}",
            f"--hub-url={at.hub}",
            f"--hub-key={key['key']}",
            *(f"--coordinator={who.public}" for who in COORDINATORS),
            f"--log-key-file={STATE / 'log.key'}",
            f"--out={STATE / 'root.json'}",
        ],
        {},
    )


def make_coordinator(who: Coordinator) -> None:
    who.home.mkdir(mode=0o700)
    who.passphrase.touch(mode=0o600)
    who.passphrase.write_text(secrets.token_urlsafe(24), encoding="ascii")
    made = run(
        [
            "rujukan",
            "coordinator",
            "init",
            f"--country={who.country}",
            f"--net={NET}",
            f"--key-file={who.key_file}",
            f"--out={who.public}",
            f"--passphrase-file={who.passphrase}",
        ],
        {},
    )
    say(f"   coordinator of {who.country}: {made['coordinator']}")


def start_servers(at: Addresses, network: Network) -> None:
    network.start("directory", ["rujukan-directory", "serve"], directory_env(at))
    wait_until_answering("directory", f"{at.directory}/healthz", network)
    if os.environ.get("RUJUKAN_QUEUE_URL"):
        say("   Every envelope goes through the RabbitMQ of RUJUKAN_QUEUE_URL.")
        run(["rujukan-hub", "declare"], hub_env(at))
        network.start("relay", ["rujukan-hub", "relay"], hub_env(at))
    network.start("hub", ["rujukan-hub", "serve"], hub_env(at))
    wait_until_answering("hub", f"{at.hub}/healthz", network)


def enrol(at: Addresses, who: Organisation) -> str:
    """The organisation's id; on the first run its keys are made, on its own computer."""
    remembered = STATE / f"org-{who.country}"
    if remembered.exists():
        return remembered.read_text(encoding="ascii")
    who.passphrase.touch(mode=0o600)
    who.passphrase.write_text(secrets.token_urlsafe(24), encoding="ascii")
    who.stick.mkdir(mode=0o700)
    made = run(
        [
            "rujukan",
            "init",
            f"--country={who.country}",
            "--kind=ngo",
            f"--root-key-file={who.stick / 'root.key'}",
            f"--admission-file={who.stick / 'admission.json'}",
        ],
        desk_env(at, who),
    )
    say(f"   {who.name}: {made['org']}, fingerprint {made['fingerprint']}")
    org = str(made["org"])
    remembered.write_text(org, encoding="ascii")
    return org


def admit(at: Addresses, who: Organisation) -> None:
    """Both coordinators vouch, as if they had phoned and compared the digits; then it joins."""
    for coordinator in COORDINATORS:
        vouch = ["rujukan", "coordinator", "vouch", str(who.stick / "admission.json")]
        run([*vouch, *coordinator.signing], coordinator_env(at, coordinator))
    run(["rujukan", "keys", "join"], desk_env(at, who))


def prepare_entries(at: Addresses, ids: Mapping[Organisation, str]) -> list[Any]:
    """What the directory is to say of each organisation, checked and still unsigned."""
    prepared, listings = STATE / "entries.json", STATE / "listings.csv"
    if prepared.exists():  # a run that was cut off: whoever has joined since lists itself
        return list(json.loads(prepared.read_bytes())["entries"])
    text = (HERE / "listings.csv").read_text(encoding="utf-8")
    for who, org in ids.items():
        text = text.replace(who.placeholder, org)
    listings.write_text(text, encoding="utf-8")
    run(["rujukan-directory", "import", str(listings), f"--out={prepared}"], directory_env(at))
    return list(json.loads(prepared.read_bytes())["entries"])


def publish_entries(at: Addresses, ids: Mapping[Organisation, str], entries: list[Any]) -> None:
    """Whoever has keys signs its own entry; one coordinator enters the others, one confirms."""
    for who, org in ids.items():
        own = next(entry for entry in entries if entry["org"] == org)
        write_json(who.stick / "entry.json", own)
        publish = ["rujukan", "listing", "publish", str(who.stick / "entry.json"), "--yes"]
        run(publish, desk_env(at, who))
    others = [entry for entry in entries if entry["org"] not in ids.values()]
    file, (first, second) = STATE / "others.json", COORDINATORS
    write_json(file, {"v": 1, "entries": others})
    enter = ["rujukan", "coordinator", "list", str(file)]
    run([*enter, *first.signing], coordinator_env(at, first))
    confirm = ["rujukan", "coordinator", "confirm", *(entry["org"] for entry in others)]
    run([*confirm, *second.signing], coordinator_env(at, second), lines=True)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def set_up(at: Addresses) -> dict[Organisation, str]:
    """The two organisations in the network, with everybody's listings; once."""
    done = STATE / "set-up"
    if not done.exists():
        say("3. Two organisations make their keys on their own computers:")
    ids = {who: enrol(at, who) for who in (MALAYSIA, BANGLADESH)}
    if done.exists():
        return ids
    entries = prepare_entries(at, ids)
    say("   Two coordinators of two countries vouch for each, and it joins the network's log.")
    for who in ids:
        admit(at, who)
    say("   Each signs what the directory says of it; coordinators sign for those without keys.")
    publish_entries(at, ids, entries)
    done.touch()
    return ids


def what_the_hub_saw(mid_of: str) -> None:
    """Everything the hub's own tables say about one sender's newest envelope."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        row = newest_envelope(mid_of)
        if row is not None:
            header, sizes = row
            say("   What the hub could see of it, from its own database:")
            say(f"     from {header['from']}  to {header['to']}  ({header['contract']})")
            say(f"     device {header['sk']}, message id {header['mid']}")
            say(f"     sealed for {len(header['keys'])} device(s); {sizes}")
            return
        time.sleep(0.1)
    give_up("the envelope did not reach the hub's mailbox in time.")


def newest_envelope(sender: str) -> tuple[dict[str, Any], str] | None:
    with closing(sqlite3.connect(f"file:{STATE / 'hub.sqlite'}?mode=ro", uri=True)) as hub:
        rows = hub.execute("SELECT body FROM envelope").fetchall()
    for (body,) in rows:
        envelope = json.loads(body)
        header = json.loads(base64.b64decode(envelope["h"]))
        if header["from"] == sender and header["typ"] == "msg":
            sealed = len(base64.b64decode(envelope["c"]))
            return header, f"{sealed} bytes of ciphertext, padded"
    return None


def play(at: Addresses, ids: Mapping[Organisation, str]) -> None:
    """One referral from Malaysia to Bangladesh, and its acceptance back."""
    my, bd = desk_env(at, MALAYSIA), desk_env(at, BANGLADESH)
    say()
    say("4. A caseworker in Malaysia looks for reintegration help in Bangladesh:")
    found = run(["rujukan", "find", "--country=bd", "--service=reintegration"], my)
    for one in found["services"]:
        can = "can receive" if one["can_receive"] else "cannot receive yet"
        say(f"     {one['name']} ({one['organisation']}): {can}")
    ours = [one for one in found["services"] if one["org"] == ids[BANGLADESH]]
    if not ours:
        give_up("the Bangladeshi organisation was not found in the directory.")
    say("5. She records consent and sends a referral, sealed on her own computer:")
    to = [f"--to={ids[BANGLADESH]}", f"--service={ours[0]['service_id']}"]
    example = subprocess.run(
        [str(COMMANDS / "rujukan"), "send", "--example", *to],
        env={**CLEAN, **my},
        capture_output=True,
        text=True,
        check=True,
    )
    sent = run(["rujukan", "send", *to, "-"], my, stdin=example.stdout)
    reference = sent["reference"]
    say(f"     referral {reference}: {sent['state']} (the hub signed that it took it)")
    what_the_hub_saw(ids[MALAYSIA])
    say("6. The desk in Bangladesh fetches, verifies, opens and stores it:")
    run(["rujukan", "consume", "--once"], bd, lines=True)
    received = run(["rujukan", "show", reference], bd)
    say(f"     referral {received['reference']} from {received['peer']}: {received['state']}")
    say("7. Its caseworker reads it and accepts:")
    accepted = run(["rujukan", "answer", reference, "accept", "--role=caseworker"], bd)
    say(f"     {' and '.join(accepted['sent'])}: sealed, sent")
    what_the_hub_saw(ids[BANGLADESH])
    say("8. Back in Malaysia:")
    home = wait_for_state(my, reference, "accepted")
    say(f"     referral {home['reference']}: {home['state']}")
    run(["rujukan", "status"], bd)
    run(["rujukan", "status"], my)


def wait_for_state(env: Mapping[str, str], reference: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        run(["rujukan", "consume", "--once"], env, lines=True)
        case: dict[str, Any] = run(["rujukan", "show", reference], env)
        if case["state"] == state:
            return case
    give_up(f"the referral did not become {state} in time.")


def start_desk(at: Addresses, who: Organisation, network: Network) -> str:
    """The address, with its one-time token, under which the desk opens in a browser."""
    name = f"desk-{who.country}"
    port = str(at.base + who.offset)
    process = network.start(name, ["rujukan", "desk", "--port", port, "--json"], desk_env(at, who))
    if process.stdout is None:
        give_up(f"{name} has no output.")
    line = process.stdout.readline()
    if not line:
        give_up(f"{name} did not start.")
    return str(json.loads(line)["url"])


def stay_up(network: Network) -> None:
    while True:
        dead = network.dead()
        if dead:
            give_up(f"{dead} ended by itself.")
        time.sleep(0.5)


def main() -> int:
    stop_on_signals()
    at = Addresses(int(os.environ.get("RUJUKAN_PORT_BASE", "8000")))
    STATE.mkdir(mode=0o700, exist_ok=True)
    (STATE / "logs").mkdir(exist_ok=True)
    network = Network()
    try:
        say("Rujukan DEMO: a directory, a hub and two desks. Everyone in it is fictional.")
        say(RULE)
        refuse_other_ports(at)
        refuse_taken_ports(at)
        make_network_files(at)
        say("2. The directory and the hub start.")
        start_servers(at, network)
        ids = set_up(at)
        play(at, ids)
        for who in ids:
            write_environment(at, who)
        desks = [start_desk(at, who, network) for who in (MALAYSIA, BANGLADESH)]
        say(RULE)
        say(f"The first desk below is {MALAYSIA.name}, the second {BANGLADESH.name}.")
        say(f"State, logs and the desks' passphrases are in {relative(STATE)}. Ctrl-C ends all.")
        opened = ", ".join(f"desk {url}" for url in desks)
        say(f"Ready: directory {at.directory}, hub {at.hub}, {opened}")
        stay_up(network)
    except KeyboardInterrupt:
        say()
        say("Ending everything that was started ...")
    finally:
        network.stop()
    say("Ended. The state stays; `make run` goes on with it.")
    return 0


def stop_on_signals() -> None:
    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
