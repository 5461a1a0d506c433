"""The root file: what a client is given with the program and believes without asking.

It names the network, the log's key, the hubs, the coordinators, the witnesses and how many of
these must have signed. No setting changes any of it. Version 1 comes with the program; each later
one is signed by most coordinators of the one before and stands in the log. This file reads the
form and refuses rules that this version does not know. It does not read from disk.

    root = parse_root(data)
    root.hash                     # shown to people at `init`, to be compared
    following = next_root(root, body)            # a later version out of the log
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    b64decode,
    b64encode,
    bytes_of,
    h256,
    list_of,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import KeyId, OrgId, parse_key_id, parse_org_id
from contracts.signing import PUBLIC_KEY_SIZE, Label, SigningKey, key_id, verify
from contracts.statements import MAX_BODY, Statement, parse_statement, signed_statement

RULES: Final = 1  # every statement type of `contracts.contents`, and `contracts.register`'s rules
LOG_KEY: Final = 0x01  # C2SP signed-note: Ed25519
WITNESS_KEY: Final = 0x04  # C2SP tlog-cosignature: cosignature/v1
MAX_LISTED: Final = 64


class RootRefused(Refused):
    """A root file this program must not follow; the sentence says who has to act."""

    def __str__(self) -> str:
        return _SENTENCES.get(self.code) or super().__str__()


class RulesUnknown(RootRefused):
    """The network has agreed on rules that this program does not know: it must stop and say so.

    Raised for a root file at hand, and for one out of the log that the coordinators have signed.
    """

    def __init__(self) -> None:
        super().__init__("unknown_rules", "rules")


_SENTENCES: Final[Mapping[str, str]] = {
    "unknown_rules": "This network follows rules that this version of the program does not know."
    " Install a newer version; nothing was changed.",
    "unwitnessed": "This root file asks for no witnesses. Only networks whose name begins with"
    " demo. or exercise. may do so. Ask your coordinator for the right root file.",
    "not_the_first": "This is a later version of the network's root file. Programs are given the"
    " first one; the later ones come through the log. Ask your coordinator for version 1.",
    "too_few_witnesses": "This root file asks for so few witnesses that the log could be forked"
    " among them. More than half of them must sign. Ask your coordinator for the right root file.",
}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A C2SP vkey: a name, the kind of signature (0x01 log, 0x04 witness) and an Ed25519 key."""

    name: str
    kind: int
    public: bytes

    @property
    def key_hash(self) -> bytes:
        """The four bytes that signed notes carry to find the key."""
        return h256(self.name.encode("utf-8") + b"\n" + bytes((self.kind,)) + self.public)[:4]

    def render(self) -> str:
        """name+hash+key, as `parse_vkey` reads it."""
        key = b64encode(bytes((self.kind,)) + self.public)
        return f"{self.name}+{self.key_hash.hex()}+{key}"


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub: its id is the key id of its Ed25519 key; `url` without a slash at the end."""

    id: KeyId
    url: str
    key: bytes

    @classmethod
    def of(cls, *, url: str, key: bytes) -> Hub:
        """The hub with this key at this address."""
        return cls(key_id(key), url, key)


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Somebody who may vouch for organisations of a country."""

    id: OrgId
    country: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Witness:
    """A verifying mirror in a country, whose signature on the log is counted."""

    country: str
    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class RootFile:
    """A root file that this program may follow. `hash`: 64 hex digits, over the signed bytes."""

    net: str
    version: int
    rules: int
    k: int
    log: VerifierKey
    hubs: tuple[Hub, ...]
    coordinators: tuple[Coordinator, ...]
    witnesses: tuple[Witness, ...]
    statistics: OrgId | None
    hash: str

    @property
    def demonstration(self) -> bool:
        """No witness guards this log: every screen and every opened message must say so."""
        return self.k == 0

    @property
    def majority(self) -> int:
        """How many coordinators must sign the next version: more than half of them."""
        return len(self.coordinators) // 2 + 1

    def coordinator(self, author: OrgId) -> Coordinator | None:
        """The coordinator of this id, or none."""
        return next((one for one in self.coordinators if one.id == author), None)


def parse_root(data: bytes) -> RootFile:
    """The root file in these bytes, believed because it came with the program.

    Raises `Malformed`, `BadSignature`, or `RootRefused` whose text is a sentence for people.
    """
    statement = parse_statement(data)
    root = read_root(statement.body)
    if root.version != 1:
        # Who begins with a later one would judge the log's first leaves by other coordinators
        # than everybody else, and come to another register.
        raise RootRefused("not_the_first", "version")
    _check_signed(statement, root)
    return root


def read_root(body: bytes) -> RootFile:
    """The root file of these signed bytes; nothing is said of who signed them. Raises as above."""
    fields = parse_object(body, limit=MAX_BODY)
    _check_known(fields)
    members(fields, required=_MEMBERS)
    root = _read(fields, body)
    _check_counts(root)
    _check_keys(root)
    return root


def next_root(root: RootFile, body: bytes) -> RootFile:
    """The version that follows `root`, out of a statement whose signatures have been checked.

    Raises as `read_root`, and `Refused("other_net" | "wrong_version")`.
    """
    following = read_root(body)
    if following.net != root.net:
        raise Refused("other_net", "net")
    if following.version != root.version + 1:
        raise Refused("wrong_version", "version")
    return following


def make_root(
    *,
    net: str,
    log: bytes,
    hubs: Sequence[Hub],
    coordinators: Sequence[Coordinator],
    witnesses: Sequence[Witness] = (),
    k: int = 0,
    version: int = 1,
    signers: Sequence[SigningKey] = (),
) -> bytes:
    """A root file; `log` is the log's 32-byte key, `k` how many witnesses must sign a checkpoint.

    `parse_root` refuses `k` 0 unless `net` begins with "demo." or "exercise.".
    """
    listed = {
        "hubs": [{"id": hub.id, "url": hub.url, "key": b64encode(hub.key)} for hub in hubs],
        "coordinators": [
            {"id": one.id, "country": one.country, "key": b64encode(one.key)}
            for one in coordinators
        ],
        "witnesses": [
            {"country": one.country, "url": one.url, "key": one.key.render()} for one in witnesses
        ],
    }
    body: dict[str, JsonInput] = {
        "v": 1,
        "net": net,
        "version": version,
        "rules": RULES,
        "k": k,
        "log": VerifierKey(net, LOG_KEY, log).render(),
        **listed,
        "statistics": None,
    }
    return signed_statement(body, *signers).render()


def parse_vkey(text: str, *, kind: int, field: str) -> VerifierKey:
    """A C2SP vkey of this kind. Raises `Malformed("bad_vkey", field)`."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise Malformed("bad_vkey", field)
    key = b64decode(parts[2], field=field, size=1 + PUBLIC_KEY_SIZE)
    found = VerifierKey(parts[0], key[0], key[1:])
    if found.kind != kind or parts[1] != found.key_hash.hex():
        raise Malformed("bad_vkey", field)
    return found


_MEMBERS: Final = frozenset(
    {"v", "net", "version", "rules", "k", "log", "hubs", "coordinators", "witnesses", "statistics"}
)
_UNWITNESSED: Final = ("demo.", "exercise.")
# Narrower than C2SP's "no spaces, no plus": a name is also shown to people and must be typed.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,98}[a-z0-9]")
_COUNTRY: Final = re.compile(r"[a-z]{2}")
_URL: Final = re.compile(r"[!-\[\]-~]{1,2048}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


def _check_known(body: JsonObject) -> None:
    """Rules this program does not know come first: it could misread everything else."""
    if number_of(body, "v") != 1:
        raise Malformed("unknown_version", "v")
    if number_of(body, "rules") != RULES:
        raise RulesUnknown
    if not number_of(body, "version"):
        raise Malformed("bad_number", "version")


def _check_counts(root: RootFile) -> None:
    """k > n/2: two forks of the log would then need one witness to sign both of them."""
    if not root.k and not root.net.startswith(_UNWITNESSED):
        raise RootRefused("unwitnessed", "k")
    if root.k and not len(root.witnesses) < 2 * root.k:
        raise RootRefused("too_few_witnesses", "k")
    if root.k > len(root.witnesses):
        raise Malformed("out_of_range", "k")
    if len({witness.country for witness in root.witnesses}) != len(root.witnesses):
        raise Malformed("country_repeated", "witnesses")
    if len({one.id for one in root.coordinators}) != len(root.coordinators):
        raise Malformed("id_repeated", "coordinators")


def _read(body: JsonObject, signed: bytes) -> RootFile:
    net = text_of(body, "net")
    log = parse_vkey(text_of(body, "log"), kind=LOG_KEY, field="log")
    if log.name != net:
        raise Malformed("other_net", "log")
    return RootFile(
        net=net,
        version=number_of(body, "version"),
        rules=number_of(body, "rules"),
        k=number_of(body, "k"),
        log=log,
        hubs=tuple(_hub(item) for item in _listed(body, "hubs", {"id", "url", "key"})),
        coordinators=tuple(
            _coordinator(item) for item in _listed(body, "coordinators", {"id", "country", "key"})
        ),
        witnesses=tuple(
            _witness(item) for item in _listed(body, "witnesses", {"country", "url", "key"})
        ),
        statistics=_statistics(body),
        hash=h256(signed).hex(),
    )


def _listed(body: JsonObject, name: str, required: set[str]) -> list[JsonObject]:
    items = list_of(body, name)
    if len(items) > MAX_LISTED:
        raise Malformed("too_many", name)
    return [_item(item, name, required) for item in items]


def _item(item: JsonValue, name: str, required: set[str]) -> JsonObject:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", name)
    members(item, required=required)
    return item


def _hub(item: JsonObject) -> Hub:
    key = bytes_of(item, "key", size=PUBLIC_KEY_SIZE)
    hub = Hub(parse_key_id(text_of(item, "id"), field="hubs"), _url(item), key)
    if hub.id != key_id(key):
        raise Malformed("wrong_key_id", "hubs")
    return hub


def _coordinator(item: JsonObject) -> Coordinator:
    coordinator = parse_org_id(text_of(item, "id"), field="coordinators")
    key = bytes_of(item, "key", size=PUBLIC_KEY_SIZE)
    return Coordinator(coordinator, _country(item), key)


def _witness(item: JsonObject) -> Witness:
    key = parse_vkey(text_of(item, "key"), kind=WITNESS_KEY, field="witnesses")
    return Witness(_country(item), _url(item), key)


def _country(item: JsonObject) -> str:
    country = text_of(item, "country")
    if not _COUNTRY.fullmatch(country):
        raise Malformed("not_a_country", "country")
    return country


def _url(item: JsonObject) -> str:
    """https://, or http:// to this computer alone: what leaves it is always verified TLS."""
    url = text_of(item, "url")
    try:
        parts = urlsplit(url)
        host, plain = parts.hostname, _URL.fullmatch(url) and not (parts.query or parts.fragment)
    except ValueError:
        raise Malformed("bad_url", "url") from None
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not (plain and host and encrypted) or "@" in parts.netloc or url.endswith("/"):
        raise Malformed("bad_url", "url")
    return url


def _statistics(body: JsonObject) -> OrgId | None:
    if body["statistics"] is None:
        return None
    return parse_org_id(text_of(body, "statistics"), field="statistics")


def _check_keys(root: RootFile) -> None:
    """A key stands once: two entries under one key would count as two where there is one."""
    keys = [root.log.public, *(hub.key for hub in root.hubs)]
    keys += [coordinator.key for coordinator in root.coordinators]
    keys += [witness.key.public for witness in root.witnesses]
    if len(set(keys)) != len(keys):
        raise Malformed("key_repeated", "key")


def _check_signed(statement: Statement, root: RootFile) -> None:
    """It is believed because it came with the program, not because it is signed; yet a signature
    that stands on it must be a good one, by a coordinator it names.
    """
    keys = {key_id(coordinator.key): coordinator.key for coordinator in root.coordinators}
    for signature in statement.signatures:
        public = keys.get(signature.key_id)
        if public is None:
            raise RootRefused("wrong_signers", "sigs")
        verify(public, signature.value, Label.STATEMENT, statement.body)
