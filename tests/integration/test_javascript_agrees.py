"""Two implementations, one format: a JavaScript reader on libsodium-wrappers says to every vector
what the Python code says, opens what Python seals and seals what Python opens.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from contracts.encoding import b64encode, dump_json
from contracts.envelope import NO_CHECKPOINT, Header, render_header
from contracts.identifiers import Mid
from contracts.sealing import Opened
from tests.js.packages import BIN, installed
from tests.js.packages import HERE as JS
from tests.unit.contracts import vector_files
from tests.unit.contracts.world import BD, DAY, MY, NOW, Desk, World, world

SECONDS: Final = 120

MESSAGES: Final = (b"", b"{}", "চিঠি 信 รัก".encode(), b"\x80\0\0", b"x" * 4095, b"y" * 262144)


class Javascript(Protocol):
    """Runs a command of verify.mjs and gives what it prints."""

    def __call__(self, command: str, *paths: str, given: bytes = b"") -> bytes: ...


@pytest.fixture(scope="module")
def javascript() -> Javascript:
    """The JavaScript code, with the locked packages beside it."""
    installed()
    return _run


@pytest.fixture(scope="module")
def verdicts(javascript: Javascript) -> dict[str, dict[str, Any]]:
    """What the JavaScript code says to every committed vector."""
    return _verdicts(javascript, vector_files.paths())


def test_both_say_the_same_to_every_vector(verdicts: dict[str, dict[str, Any]]) -> None:
    paths = vector_files.paths()
    python = {path.stem: vector_files.outcome(vector_files.read(path)) for path in paths}
    assert {name: verdict["outcome"] for name, verdict in verdicts.items()} == python


def test_both_tell_alike_whether_the_signature_held(verdicts: dict[str, dict[str, Any]]) -> None:
    # `signed` decides whether a receipt goes back and whether raw bytes are kept.
    for name, verdict in verdicts.items():
        assert verdict["signed"] == (verdict["outcome"] not in vector_files.UNSIGNED), name


def test_both_find_the_same_ids_messages_and_places(verdicts: dict[str, dict[str, Any]]) -> None:
    names = {"eid": "eid", "message-sha256": "message", "hash": "hash", "leaf-hash": "leafHash"}
    names |= {name: name for name in ("field", "state", "lead")}
    compared = 0
    for path in vector_files.paths():
        facts = vector_files.read(path).facts
        for fact in names.keys() & facts.keys():
            assert verdicts[path.stem][names[fact]] == facts[fact], path.stem
            compared += 1
        if places := vector_files.read(path).lists["place"]:
            assert verdicts[path.stem]["places"] == sorted(places), path.stem
    assert compared > 400


@pytest.mark.parametrize("message", MESSAGES, ids=[str(len(one)) for one in MESSAGES])
def test_javascript_opens_what_python_seals(
    javascript: Javascript, tmp_path: Path, message: bytes
) -> None:
    here = world()
    sealed = here.sealed(message, recipients=(here.bd_2, here.bd_1, here.my_2))
    path = tmp_path / "sealed.txt"
    path.write_bytes(_as_vector(here, sealed.body))
    (verdict,) = _verdicts(javascript, [path]).values()
    digest = hashlib.sha256(message).hexdigest()
    expected = {"outcome": "ok", "eid": sealed.eid, "message": digest, "own": False}
    assert verdict == expected | {"name": "sealed", "signed": True}


@pytest.mark.parametrize("message", MESSAGES, ids=[str(len(one)) for one in MESSAGES])
def test_python_opens_what_javascript_seals(javascript: Javascript, message: bytes) -> None:
    here = world()
    recipients = (here.bd_2, here.bd_1)
    header = Header(
        suite=1, typ="msg", mid=Mid("ab" * 16), sender=MY, device=here.my_1.key.key_id, to=BD,
        keys=tuple(one.pair.key_id for one in recipients), contract="case-referral/1",
        iat=NOW, exp=NOW + DAY, dir=NO_CHECKPOINT,
    )  # fmt: skip
    order = {
        "message": b64encode(message),
        "header": json.loads(render_header(header)),
        "recipients": [b64encode(one.pair.public) for one in recipients],
        "seed": b64encode(here.my_1.key.seed),
    }
    body = javascript("seal", given=dump_json(order))
    opened = here.opened(body)
    assert isinstance(opened, Opened)
    assert opened.message.data == message
    assert opened.verified.envelope.header == header


def test_the_lock_names_no_registry() -> None:
    for name in ("package-lock.json", "package.json", ".npmrc"):
        text = (JS / name).read_text()
        assert "://" not in text
        assert '"resolved"' not in text
    lock = json.loads((JS / "package-lock.json").read_text())
    assert all("integrity" in found for path, found in lock["packages"].items() if path)


def _as_vector(here: World, body: bytes) -> bytes:
    """The body with the facts its reader needs, in the one format that both sides read."""
    facts = [
        ("expect", "ok"),
        ("check", "open"),
        ("now", str(NOW)),
        ("own-org", BD),
        ("own-device", here.bd_1.key.key_id),
        ("contracts", "case-referral/1"),
        *(fact for desk in (here.my_1, here.bd_1) for fact in _facts_of(desk)),
    ]
    lines = "".join(f"{name}: {value}\n" for name, value in facts)
    return lines.encode() + b"\n" + body


def _facts_of(desk: Desk) -> tuple[tuple[str, str], ...]:
    window = f"nbf={NOW - DAY} naf={NOW + DAY}"
    device = f"{desk.org} {desk.key.key_id} public={desk.key.public.hex()} {window}"
    pair = f"public={desk.pair.public.hex()} secret={desk.pair.secret.hex()} nbf={desk.week}"
    return ("device", device), ("key", f"{desk.key.key_id} {desk.pair.key_id} {pair}")


def _verdicts(javascript: Javascript, paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    output = javascript("vectors", *map(str, paths))
    lines = [json.loads(line) for line in output.splitlines()]
    return {line["name"]: line for line in lines}


def _run(command: str, *paths: str, given: bytes = b"") -> bytes:
    """What verify.mjs prints; it must end well and soon."""
    done = subprocess.run(
        [str(BIN / "node"), "verify.mjs", command, *paths],
        cwd=JS,
        input=given,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
