"""Whatever stands in a statement, signed or not: it counts or is refused, and nothing breaks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.drafting import root_statement
from contracts.errors import Refused
from contracts.identifiers import OrgId
from contracts.log import Leaf
from contracts.root import RulesUnknown, make_root
from contracts.routing import RouteState
from contracts.signing import SigningKey
from contracts.statements import Statement, parse_statement, signed_statement
from tests.unit.contracts.authors import NET, signing_key
from tests.unit.contracts.histories import BD, ENTRY, MY, History
from tests.vouching import COORDINATORS, LOG_KEY, listed

NEW, ROGUE = signing_key("new root"), signing_key("rogue")
NOBODY_YET = "my-00000000000000ee"


def _root_file(history: History) -> Statement:
    made = make_root(net=NET, log=LOG_KEY.public, hubs=[], coordinators=listed(), version=2)
    keys = [one.key for one in COORDINATORS[1:]]
    heading = history.heading(COORDINATORS[1].id)
    return root_statement(heading, *keys, file=parse_statement(made).body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def _written() -> tuple[History, dict[str, tuple[Statement, tuple[SigningKey, ...]]]]:
    """A network, and the next legal statement of every type with the keys that sign it."""
    history = History()
    member = history.enrol()
    two = member.recovery[:2]
    known = history.register.organisation(member.id)
    assert known is not None
    written = {
        "org": (history.change_root(member, NEW), (member.root,)),
        "vouch": (history.vouch(MY, member.id, known.first), (MY.key,)),
        "device": (history.certify(member, ROGUE), (member.root, ROGUE)),
        "keys": (history.publish(member, member.admin), (member.admin,)),
        "listing": (history.list_entry(BD.id, OrgId(NOBODY_YET), BD.key), (BD.key,)),
        "confirm": (history.confirm(BD.id, OrgId(NOBODY_YET), BD.key), (BD.key,)),
        "route": (
            history.route(MY, MY, BD, pair=("bd", "my"), state=RouteState.SIGNED),
            (MY.key, BD.key),
        ),
        "freeze": (history.freeze(member, by=MY, device=member.device), (MY.key,)),
        "thaw": (history.thaw(member, member.root, MY.key), (member.root, MY.key)),
        "revoke": (history.revoke(member, *two, device=member.device), two),
        "recover": (history.recover(member, *two, NEW, new=NEW), (*two, NEW)),
        "root": (_root_file(history), tuple(one.key for one in COORDINATORS[1:])),
    }
    return history, written


WRITTEN = _written()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_signed_statement_is_counted_or_refused(data: st.DataObject) -> None:
    history, written = WRITTEN
    statement, signers = written[data.draw(st.sampled_from(sorted(written)))]
    body = json.loads(statement.body)
    name = data.draw(st.sampled_from(sorted(body)))
    body[name] = data.draw(JSON | st.sampled_from([ENTRY, MY.id, OrgId(NOBODY_YET), 0, 1, [], {}]))
    text = json.dumps(body).encode()
    signed = tuple(sorted(signers, key=lambda key: key.key_id))[: data.draw(st.integers(0, 3))]
    again = signed_statement(body, *signed) if _plain(body) else Statement(text, ())
    register = history.register.copy()
    before = register.organisations, register.listings, register.routes, register.root
    try:
        register.apply(Leaf(again, history.t))
    except RulesUnknown:
        raise
    except Refused:
        assert before == (
            register.organisations, register.listings, register.routes, register.root
        )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_that_are_no_statement_are_refused(body: bytes) -> None:
    register = WRITTEN[0].register.copy()
    with pytest.raises(Refused):
        register.apply(Leaf(Statement(body, ()), WRITTEN[0].t))


def _plain(body: object) -> bool:
    try:
        text = json.dumps(body, allow_nan=False, ensure_ascii=False)
        return len(text.encode()) < 8000
    except ValueError:
        return False
