"""What this implementation says to a vector, or to a bare message: the runner of the kit.

It uses the code under test and nothing that made the vectors. A verdict names an outcome, a place
and a rule, never a value: the bytes may be anybody's.

    judged(parse(data))  →  Verdict("schema", field="/body/needs", rule="minItems")
    judged_json(data)    →  Verdict("ok")
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from contracts.bodies import ReferralRequested
from contracts.consent import check_consent
from contracts.contents import Role, read_content, week_key
from contracts.drafting import device_statement, keys_statement, org_statement, vouch_statement
from contracts.encoding import JsonValue, dump_json, h256, list_of, object_of, parse_object, text_of
from contracts.envelope import MAX_BODY, MAX_MESSAGE, check_for_hub, parse_envelope
from contracts.errors import ContractError, Malformed, Rejected
from contracts.fold import Told, fold, told
from contracts.identifiers import KeyId, OrgId, country_of, parse_org_id
from contracts.lifecycle import Side
from contracts.log import Leaf, encode_leaf, leaf_hash
from contracts.login import read_login
from contracts.messages import CONTRACT, RECEIPT_CONTRACT, parse_message, parse_receipt
from contracts.notice import read_notice
from contracts.register import Register
from contracts.root import Coordinator, RootFile, make_root, parse_root
from contracts.routing import RouteState, RouteTable
from contracts.schema import UnknownSchema, schema_names, validate
from contracts.sealing import EncryptionKeyPair, NotForThisDevice, Opened, open_envelope
from contracts.signing import Label, SigningKey, key_id, verify
from contracts.statements import parse_statement
from contracts.vectors.reading import (
    UnknownHeader,
    VectorFile,
    named_words,
    octets,
    whole_number,
)

# With these, no signature had been verified: nothing is kept and no receipt goes back.
UNSIGNED: Final = frozenset(("too-large", "malformed", "device-not-certified", "bad-signature"))
# Readers name the rule that is broken; all others are one: the form is wrong.
_NAMED: Final = UNSIGNED | {
    "not-your-device", "version-unsupported", "unknown-recipient", "no-route", "keys-changed",
    "expired", "from-the-future", "another-hub", "another-server", "another-nonce", "clock",
    "consent",
}  # fmt: skip
_NET: Final = "demo.vectors.example"
# Whoever is in a vector's register was vouched for by these two.
_COORDINATORS: Final[Mapping[OrgId, SigningKey]] = {
    OrgId(f"{country}-c000000000000000"): SigningKey.from_seed(
        h256(f"coordinator {country}".encode())
    )
    for country in ("my", "bd")
}
MAX_EVENTS: Final = 200  # folding takes the square of their number


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` as a vector's `expect` would say it; for a refused message where and which rule.

    `differs` names header lines that came out otherwise than the vector tells.
    """

    outcome: str
    field: str = ""
    rule: str = ""
    differs: tuple[str, ...] = ()


def judged(vector: VectorFile) -> Verdict:
    """What the code says to a vector. Raises `UnknownHeader` for one that nobody can run."""
    check = _CHECKS.get(vector.text("check"))
    if check is None:
        raise UnknownHeader("unknown_check", "check")
    try:
        return check(vector)
    except ContractError as refusal:
        return _refused(refusal)


def judged_json(data: bytes) -> Verdict:
    """What the code says to a bare file: a message, a receipt, or an envelope's form alone."""
    try:
        fields = parse_object(data, limit=MAX_BODY)
        if "env" in fields:
            parse_envelope(data)
            return Verdict("ok", rule="form only")
        return _plain(data, is_receipt="type" not in fields and "of_eid" in fields)
    except Malformed as fault:
        return Verdict("malformed", fault.field, fault.code)


def _refused(refusal: ContractError) -> Verdict:
    code = refusal.code.replace("_", "-")
    if isinstance(refusal, Rejected):
        differs = () if refusal.signed == (code not in UNSIGNED) else ("signed",)
        return Verdict(code, refusal.field, differs=differs)
    return Verdict(code if code in _NAMED else "malformed", refusal.field, refusal.code)


def _open(vector: VectorFile) -> Verdict:
    found = _opened(vector)
    if isinstance(found, NotForThisDevice):
        return Verdict("not-for-this-device")
    return Verdict("ok", differs=tuple(_differing(vector, found)))


def _read(vector: VectorFile) -> Verdict:
    """Open, and then all that a desk asks of the content before it keeps it."""
    found = _opened(vector)
    if isinstance(found, NotForThisDevice):
        return Verdict("not-for-this-device")
    header, data = found.verified.envelope.header, found.message.data
    verdict = _plain(data, is_receipt=header.contract == RECEIPT_CONTRACT)
    if verdict.outcome == "ok" and header.contract == CONTRACT:
        _check_consent(data, recipient=header.to, now=vector.now)
    return replace(verdict, differs=tuple(_differing(vector, found)))


def _check_consent(data: bytes, *, recipient: OrgId, now: int) -> None:
    body = parse_message(data).body
    if isinstance(body, ReferralRequested):
        check_consent(body, recipient=recipient, now=now)


def _opened(vector: VectorFile) -> Opened | NotForThisDevice:
    register, pairs = _register(vector.lists["device"], vector.lists["key"])
    own = pairs.get(vector.text("own-device"))
    return open_envelope(
        vector.body,
        org=OrgId(vector.text("own-org")),
        secrets={} if own is None else {own.key_id: own},
        register=register,
        now=vector.now,
        contracts=vector.text("contracts").split(" "),
    )


def _differing(vector: VectorFile, found: Opened) -> Iterable[str]:
    envelope = found.verified.envelope
    came_out = {
        "message-sha256": hashlib.sha256(found.message.data).hexdigest(),
        "eid": envelope.eid,
        "own": "yes" if found.verified.own else "no",
    }
    told = {"own": "no"} | dict(vector.facts)
    yield from (name for name, value in came_out.items() if told.get(name, value) != value)
    if envelope.raw != vector.body:
        yield "body"


def _hub(vector: VectorFile) -> Verdict:
    org, device = vector.words("login", 2)
    register, _pairs = _register(vector.lists["device"], vector.lists["key"])
    check_for_hub(
        vector.body,
        org=OrgId(org),
        device=KeyId(device),
        register=register,
        routes=_routes(vector.text("signed-routes")),
        now=vector.now,
    )
    return Verdict("ok")


def _routes(text: str) -> RouteTable:
    pairs = [tuple(route.split("-", 1)) for route in text.split(" ")]
    try:
        return RouteTable.of({(a, b): RouteState.SIGNED for a, b in pairs})
    except (ValueError, ContractError):
        raise UnknownHeader("not_understood", "signed-routes") from None


def _notice(vector: VectorFile) -> Verdict:
    read_notice(vector.body, hub_key=vector.octets("hub-key", 32))
    return Verdict("ok")


def _login(vector: VectorFile) -> Verdict:
    known = {(one.org, one.key.key_id): one.key.public for one in _devices(vector.lists["device"])}
    read_login(
        vector.body,
        server=KeyId(vector.text("server")),
        nonce=vector.octets("nonce", 32),
        now=vector.now,
        lookup=lambda org, device: known.get((org, device)),
    )
    return Verdict("ok")


def _statement(vector: VectorFile) -> Verdict:
    statement = parse_statement(vector.body)
    read_content(statement)
    signatures = {one.key_id: one.value for one in statement.signatures}
    for signer in vector.lists["signer"]:
        public = octets(signer, "signer", 32)
        verify(public, signatures.get(key_id(public), b""), Label.STATEMENT, statement.body)
    leaf = encode_leaf(Leaf(statement, vector.number("t")))
    came_out = {"hash": statement.hash, "leaf-hash": leaf_hash(leaf).hex()}
    differs = [name for name, value in came_out.items() if vector.text(name) != value]
    return Verdict(
        "ok", differs=(*differs, *(["body"] if statement.render() != vector.body else []))
    )


def _message(vector: VectorFile) -> Verdict:
    return _located(vector, _plain(vector.body, is_receipt=False), CONTRACT)


def _receipt(vector: VectorFile) -> Verdict:
    return _located(vector, _plain(vector.body, is_receipt=True), RECEIPT_CONTRACT)


def _located(vector: VectorFile, verdict: Verdict, contract: str) -> Verdict:
    """The verdict, and whether it names the place that the vector names."""
    if vector.text("contract") != contract:
        return Verdict("contract-unknown")
    told = vector.facts.get("field", verdict.field)
    return verdict if told == verdict.field else replace(verdict, differs=("field",))


def _course(vector: VectorFile) -> Verdict:
    """Where a referral stands after all that both sides said, in whichever order it arrived."""
    request, *events = _said(vector.body)
    course = fold(request, events)
    places = {
        " ".join((by, event, place, course.void.get((by, event), ""))).rstrip()
        for (by, event), place in course.places.items()
    }
    came_out = {
        "state": course.state_at(vector.now) == vector.text("state"),
        "lead": course.lead == vector.text("lead"),
        "place": places == set(vector.lists["place"]),
        "order": all(fold(request, other) == course for other in _other_orders(events)),
    }
    return Verdict("ok", differs=tuple(name for name, agrees in came_out.items() if not agrees))


def _said(data: bytes) -> list[Told]:
    fields = parse_object(data, limit=MAX_BODY)
    said = [_one_said(item) for item in list_of(fields, "events")]
    if not 1 <= len(said) <= MAX_EVENTS or said[0].type != "referral.requested":
        raise Malformed("no_course", "events")
    return said


def _one_said(item: JsonValue) -> Told:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "events")
    by = text_of(item, "by")
    if by not in tuple(Side):
        raise Malformed("unknown_side", "by")
    message = parse_message(dump_json(object_of(item, "message")))
    return told(message, by=Side(by))


def _other_orders(events: list[Told]) -> Iterable[list[Told]]:
    return events[::-1], sorted(events, key=lambda event: event.id), [*events, *events]


def _plain(data: bytes, *, is_receipt: bool) -> Verdict:
    """A plaintext message or receipt."""
    try:
        if is_receipt:
            parse_receipt(data)
        else:
            parse_message(data)
    except Rejected as refusal:
        code = refusal.code.replace("_", "-")
        return Verdict(code, refusal.field, _rule(data, refusal, is_receipt=is_receipt))
    return Verdict("ok")


def _rule(data: bytes, refusal: Rejected, *, is_receipt: bool) -> str:
    """Which rule is broken there: a schema's keyword, or that of the strict form."""
    if refusal.code != "schema":
        return ""
    try:
        fields = parse_object(data, limit=MAX_MESSAGE)
        name = f"{RECEIPT_CONTRACT}/receipt" if is_receipt else f"{CONTRACT}/{fields.get('type')}"
        problems = validate(name, fields) if name in schema_names() else ()
    except (Malformed, UnknownSchema) as fault:
        return fault.code
    place = refusal.field.lstrip("/")
    found = [one.keyword for one in problems if one.instance_path.lstrip("/") == place]
    return found[0] if found else "beyond_the_schema"


@dataclass(frozen=True, slots=True)
class _Desk:
    org: OrgId
    key: SigningKey
    nbf: int
    naf: int


def _devices(lines: Iterable[str]) -> list[_Desk]:
    found = []
    for line in lines:
        (org, device), named = named_words(line, "device", 2, "public", "seed", "nbf", "naf")
        key = SigningKey.from_seed(octets(named["seed"], "device", 32))
        if (key.key_id, key.public.hex()) != (device, named["public"]):
            raise UnknownHeader("keys_do_not_fit", "device")
        nbf, naf = (whole_number(named[name], "device") for name in ("nbf", "naf"))
        found.append(_Desk(OrgId(org), key, nbf, naf))
    return found


def _pairs(lines: Iterable[str]) -> dict[str, tuple[EncryptionKeyPair, int]]:
    found = {}
    for line in lines:
        (device, key), named = named_words(line, "key", 2, "public", "secret", "nbf")
        pair = EncryptionKeyPair.from_secret(octets(named["secret"], "key", 32))
        if (pair.key_id, pair.public.hex()) != (key, named["public"]):
            raise UnknownHeader("keys_do_not_fit", "key")
        found[device] = pair, whole_number(named["nbf"], "key")
    return found


@lru_cache(maxsize=16)
def _register(
    devices: tuple[str, ...], keys: tuple[str, ...]
) -> tuple[Register, Mapping[str, EncryptionKeyPair]]:
    """The register that says exactly this, made of signed statements, and the devices' secrets."""
    pairs = _pairs(keys)
    register = Register(_root())
    admins: dict[OrgId, SigningKey] = {}
    try:
        for desk in sorted(_devices(devices), key=lambda desk: desk.nbf):
            parse_org_id(desk.org)
            _certify(register, desk, admins)
            if desk.key.key_id in pairs:
                _publish(register, desk, *pairs[desk.key.key_id])
    except ContractError:
        raise UnknownHeader("no_such_register", "device") from None
    return register, {device: pair for device, (pair, _week) in pairs.items()}


def _root() -> RootFile:
    listed = [Coordinator(one, country_of(one), key.public) for one, key in _COORDINATORS.items()]
    log = SigningKey.from_seed(h256(b"log")).public
    return parse_root(make_root(net=_NET, log=log, hubs=(), coordinators=listed))


def _certify(register: Register, desk: _Desk, admins: dict[OrgId, SigningKey]) -> None:
    root = SigningKey.from_seed(h256(f"root of {desk.org}".encode()))
    if desk.org not in admins:
        heading = register.next_heading(desk.org, iat=desk.nbf)
        first = org_statement(heading, root=root, kind="ngo")
        for coordinator, key in _COORDINATORS.items():
            about = register.next_heading(coordinator, iat=desk.nbf, org=desk.org)
            register.apply(Leaf(vouch_statement(about, key, of=first.hash), desk.nbf))
        register.apply(Leaf(first, desk.nbf))
    certificate = device_statement(
        register.next_heading(desk.org, iat=desk.nbf), root=root, device=desk.key,
        role=Role.ADMIN, nbf=desk.nbf, naf=desk.naf, admin=admins.get(desk.org),
    )  # fmt: skip
    register.apply(Leaf(certificate, desk.nbf))
    admins.setdefault(desk.org, desk.key)


def _publish(register: Register, desk: _Desk, pair: EncryptionKeyPair, week: int) -> None:
    statement = keys_statement(
        register.next_heading(desk.org, iat=desk.nbf),
        device=desk.key,
        keys=[week_key(pair.public, at=week)],
        reads=[f"{CONTRACT}.0"],
    )
    register.apply(Leaf(statement, desk.nbf))


_CHECKS: Final[Mapping[str, Callable[[VectorFile], Verdict]]] = {
    "open": _open,
    "read": _read,
    "hub": _hub,
    "notice": _notice,
    "login": _login,
    "statement": _statement,
    "message": _message,
    "receipt": _receipt,
    "course": _course,
}
