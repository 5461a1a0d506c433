"""Reads a vector file and does what it asks for, with the code under test.

A header line that is not known here is an error: a fact that is passed over would make a
vector pass for the wrong reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.envelope import check_for_hub
from contracts.errors import ContractError, Rejected
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf, encode_leaf, leaf_hash
from contracts.login import read_login
from contracts.notice import read_notice
from contracts.register import Register
from contracts.routing import RouteState, RouteTable
from contracts.sealing import EncryptionKeyPair, NotForThisDevice, open_envelope
from contracts.signing import Label, SigningKey, key_id, verify
from contracts.statements import parse_statement, read_content
from tests.unit.contracts.world import Desk, DeviceFacts, register_of

FOLDER: Final = Path(__file__).parents[3] / "contracts" / "vectors"
# The names a header may have, and how often.
ONCE: Final = frozenset(
    (
        "expect", "check", "comment", "now", "own-org", "own-device", "contracts", "eid",
        "message-sha256", "own", "login", "signed-routes", "hub-key", "server", "nonce", "t",
        "hash", "leaf-hash",
    )
)  # fmt: skip
OFTEN: Final = frozenset(("device", "key", "signer"))
UNSIGNED: Final = frozenset(("too-large", "malformed", "device-not-certified", "bad-signature"))


class UnknownHeader(Exception):
    """A vector says something that this runner would pass over."""


@dataclass(frozen=True)
class VectorFile:
    """`facts` holds what may stand once, `lists` the rest in order."""

    path: Path
    facts: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    body: bytes

    @property
    def now(self) -> int:
        return int(self.facts["now"])

    @property
    def expect(self) -> str:
        return self.facts["expect"]


def paths() -> list[Path]:
    """Every committed vector."""
    return sorted((*FOLDER.glob("accept/*.txt"), *FOLDER.glob("reject/*.txt")))


def parse(data: bytes, path: Path = FOLDER) -> VectorFile:
    """Header up to the first empty line, then the body, untouched."""
    head, body = data.split(b"\n\n", 1)
    facts: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {name: () for name in OFTEN}
    for line in head.decode("utf-8").split("\n"):
        name, separator, value = line.partition(": ")
        if name in OFTEN and separator:
            lists[name] = (*lists[name], value)
        elif name in ONCE and separator and name not in facts:
            facts[name] = value
        else:
            raise UnknownHeader(name)
    return VectorFile(path, facts, lists, body)


def outcome(vector: VectorFile) -> str:
    """What the code under test says to it, as `expect` would say it.

    Raises AssertionError where an accepted vector came out other than its header tells.
    """
    try:
        return _CHECKS[vector.facts["check"]](vector)
    except ContractError as refusal:
        return _code(refusal)


def _code(refusal: ContractError) -> str:
    code = refusal.code.replace("_", "-")
    if isinstance(refusal, Rejected):
        assert refusal.signed == (code not in UNSIGNED)
        return code
    # Readers name the rule that is broken; vectors only say that the form is wrong.
    return code if code in _NAMED else "malformed"


_NAMED: Final = UNSIGNED | {
    "not-your-device", "version-unsupported", "unknown-recipient", "no-route", "keys-changed",
    "expired", "from-the-future", "another-hub", "another-server", "another-nonce", "clock",
}  # fmt: skip


def _open(vector: VectorFile) -> str:
    own = vector.facts["own-device"]
    found = open_envelope(
        vector.body,
        org=OrgId(vector.facts["own-org"]),
        secrets=_secrets(vector, own),
        register=_register(vector),
        now=vector.now,
        contracts=vector.facts["contracts"].split(),
    )
    if isinstance(found, NotForThisDevice):
        return "not-for-this-device"
    facts = vector.facts
    assert hashlib.sha256(found.message.data).hexdigest() == facts["message-sha256"]
    assert found.verified.envelope.eid == facts.get("eid", found.verified.envelope.eid)
    assert found.verified.envelope.raw == vector.body
    assert found.verified.own == (facts.get("own") == "yes")
    return "ok"


def _hub(vector: VectorFile) -> str:
    org, device = vector.facts["login"].split()
    pairs = [route.split("-") for route in vector.facts["signed-routes"].split()]
    check_for_hub(
        vector.body,
        org=OrgId(org),
        device=KeyId(device),
        register=_register(vector),
        routes=RouteTable.of({(a, b): RouteState.SIGNED for a, b in pairs}),
        now=vector.now,
    )
    return "ok"


def _notice(vector: VectorFile) -> str:
    read_notice(vector.body, hub_key=bytes.fromhex(vector.facts["hub-key"]))
    return "ok"


def _login(vector: VectorFile) -> str:
    known = {(one.org, one.key.key_id): one.key.public for one in _desks(vector)}
    read_login(
        vector.body,
        server=KeyId(vector.facts["server"]),
        nonce=bytes.fromhex(vector.facts["nonce"]),
        now=vector.now,
        lookup=lambda org, device: known.get((org, device)),
    )
    return "ok"


def _statement(vector: VectorFile) -> str:
    statement = parse_statement(vector.body)
    read_content(statement)
    signatures = {one.key_id: one.value for one in statement.signatures}
    publics = [bytes.fromhex(signer) for signer in vector.lists["signer"]]
    for public in publics:
        verify(public, signatures.get(key_id(public), b""), Label.STATEMENT, statement.body)
    leaf = encode_leaf(Leaf(statement, int(vector.facts["t"])))
    assert statement.hash == vector.facts["hash"]
    assert leaf_hash(leaf).hex() == vector.facts["leaf-hash"]
    assert statement.render() == vector.body
    return "ok"


_CHECKS: Final[Mapping[str, Callable[[VectorFile], str]]] = {
    "open": _open,
    "hub": _hub,
    "notice": _notice,
    "login": _login,
    "statement": _statement,
}


def _words(line: str) -> tuple[list[str], dict[str, str]]:
    words = line.split()
    named = dict(word.split("=", 1) for word in words if "=" in word)
    return [word for word in words if "=" not in word], named


def _desks(vector: VectorFile) -> list[Desk]:
    keys = {}
    for line in vector.lists["key"]:
        (device, _key), named = _words(line)
        keys[device] = named
    found = []
    for line in vector.lists["device"]:
        (org, device), named = _words(line)
        key = SigningKey.from_seed(bytes.fromhex(named["seed"]))
        assert (key.key_id, key.public.hex()) == (device, named["public"])
        week = keys.get(device, {"secret": "01" * 32, "nbf": "1795392000"})
        pair = EncryptionKeyPair.from_secret(bytes.fromhex(week["secret"]))
        found.append(Desk(OrgId(org), key, pair, int(week["nbf"])))
    return found


def _secrets(vector: VectorFile, device: str) -> dict[KeyId, EncryptionKeyPair]:
    pairs = [one.pair for one in _desks(vector) if one.key.key_id == device]
    return {pair.key_id: pair for pair in pairs}


def _register(vector: VectorFile) -> Register:
    windows = {}
    for line in vector.lists["device"]:
        (_org, device), named = _words(line)
        windows[device] = int(named["nbf"]), int(named["naf"])
    desks = _desks(vector)
    return register_of(DeviceFacts(one, *windows[one.key.key_id]) for one in desks)
