"""What the public sees is what the log lists: through every refusal, crash and second opinion."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from contracts.drafting import confirm_statement, listing_statement
from contracts.entries import entry_hash, parse_entry, render_entry
from contracts.identifiers import OrgId
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement
from contracts.times import DAY
from directory.entries import entries_of
from directory.imports import read_listings
from directory.models import EntryBytes, Organisation, Service
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NOW,
    ORG,
    OTHER,
    TODAY,
    Member,
    Served,
    admit,
    csv_file,
    served,
)
from tests.vouching import COORDINATORS

CANARY = "qzqcanary"
HOSTILE = f"<img src=x onerror={CANARY}>"
FIRST, SECOND = COORDINATORS[2], COORDINATORS[3]


def data_of(**changed: str) -> bytes:
    rows = [{**GOOD, **changed}]
    listings = read_listings(csv_file(rows), today=TODAY, demonstration=True)
    return render_entry(entries_of(listings)[0])


@contextmanager
def a_directory(*, now: int = NOW) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        directory = served(Path(folder), now=now)
        yield directory
        directory.close()


@pytest.fixture
def directory() -> Iterator[Served]:
    with a_directory() as made:
        yield made


def next_heading(directory: Served, by: OrgId, org: str = ORG) -> Heading:
    register = directory.runtime.log.register()
    return register.next_heading(by, iat=NOW, org=OrgId(org))


def post(directory: Served, statement: Statement) -> tuple[int, str]:
    answer = directory.client.post(
        "/log/statements", data=statement.render(), content_type="application/json"
    )
    return answer.status_code, answer.get_json().get("code", "")


def list_it(
    directory: Served, data: bytes, by: Any = FIRST, *, org: str = ORG, bytes_first: bool = True
) -> tuple[int, str]:
    if bytes_first:
        directory.client.post("/blobs", data=data)
    heading = next_heading(directory, by.id, org)
    return post(directory, listing_statement(heading, by.key, entry=entry_hash(data)))


def confirm_it(directory: Served, data: bytes, by: Any) -> tuple[int, str]:
    heading = next_heading(directory, by.id)
    return post(directory, confirm_statement(heading, by.key, entry=entry_hash(data)))


def public(directory: Served) -> bytes:
    asked = ("/services?full=true", "/organizations", "/en/", "/bn/", f"/services?search={CANARY}")
    answers = [directory.client.get(address).data for address in asked]
    for one in directory.client.get("/services").get_json()["contents"]:
        answers.append(directory.client.get(f"/services/{one['id']}").data)
        answers.append(directory.client.get(f"/en/services/{one['id']}").data)
    return b"\n".join(answers)


def row(directory: Served) -> Organisation | None:
    with Session(directory.engine) as session:
        return session.scalars(select(Organisation)).one_or_none()


def confirmed_on(directory: Served) -> date | None:
    with Session(directory.engine) as session:
        return session.scalars(select(Service.confirmed_on)).one()


def day(at: int) -> date:
    return datetime.fromtimestamp(at, UTC).date()


def test_one_coordinators_word_is_shown_as_such_until_another_confirms(
    directory: Served,
) -> None:
    data = data_of(hotline="+60 3-1000 0000", services="shelter;hotline")
    assert list_it(directory, data) == (201, "")
    shown = public(directory)
    assert b"Entered by one coordinator, unconfirmed" in shown
    assert b'"type": "hotline"' not in shown
    assert b"Last confirmed" not in shown
    assert confirmed_on(directory) is None
    hotlines = "/services?service=hotline"
    assert directory.client.get(hotlines).get_json()["total_items"] == 0
    assert confirm_it(directory, data, FIRST) == (201, "")  # the same one's word twice is one word
    assert confirmed_on(directory) is None
    assert confirm_it(directory, data, SECOND) == (201, "")
    shown = public(directory)
    assert b"unconfirmed" not in shown
    assert b'"type": "hotline"' in shown
    assert b"Last confirmed" in shown
    assert confirmed_on(directory) == day(NOW)
    assert directory.client.get(hotlines).get_json()["total_items"] == 1


def test_an_organisation_that_closes_is_found_no_more_and_can_come_back(
    directory: Served,
) -> None:
    data = data_of()
    closed = render_entry(replace(parse_entry(data), services=()))
    assert list_it(directory, data)[0] == 201
    assert row(directory) is not None
    assert list_it(directory, closed)[0] == 201
    assert row(directory) is None
    assert GOOD["service_name"].encode() not in public(directory)
    assert list_it(directory, data)[0] == 201
    assert row(directory) is not None


def test_a_changed_entry_wants_confirming_again(directory: Served) -> None:
    before, after = data_of(), data_of(phone="+60 3-1000 0000")
    list_it(directory, before)
    confirm_it(directory, before, SECOND)
    list_it(directory, after)
    found = row(directory)
    assert found is not None
    assert found.unconfirmed
    assert confirm_it(directory, before, SECOND) == (422, "other_entry")


def test_an_organisation_that_gets_keys_replaces_what_was_entered_for_it(
    directory: Served,
) -> None:
    list_it(directory, data_of())
    member = Member.new(ORG)
    admit(directory.runtime.log, member)
    theirs = data_of(org_name="Harapan Baharu DEMO")
    assert list_it(directory, theirs, SECOND) == (422, "speaks_for_itself")
    own = Author(member.org, member.device)
    assert list_it(directory, theirs, own) == (201, "")
    shown = public(directory)
    assert b"Harapan Baharu" in shown
    assert b"unconfirmed" not in shown
    assert confirmed_on(directory) == day(NOW)


class Author:
    """Whoever signs: an id and a key."""

    def __init__(self, author: OrgId, key: SigningKey) -> None:
        self.id, self.key = author, key


def test_the_day_shown_is_the_log_s_and_no_file_s(tmp_path: Path) -> None:
    directory = served(tmp_path)
    member, data = Member.new(ORG), data_of(confirmed_on="2020-01-01")
    admit(directory.runtime.log, member)
    own = Author(member.org, member.device)
    list_it(directory, data, own)
    assert confirmed_on(directory) == day(NOW)
    later = served(tmp_path, now=NOW + 40 * DAY)
    confirm_it(later, data, own)
    assert confirmed_on(later) == day(NOW + 40 * DAY)


def test_a_listing_without_its_bytes_is_refused_and_named(directory: Served) -> None:
    assert list_it(directory, data_of(), bytes_first=False) == (409, "entry_missing")
    assert directory.runtime.log.size() == 0


def test_a_listing_of_another_s_entry_is_refused(directory: Served) -> None:
    assert list_it(directory, data_of(), org=OTHER) == (422, "other_org")
    assert row(directory) is None


def test_a_body_of_the_state_cannot_list_itself_as_another_kind(directory: Served) -> None:
    member = Member.new(ORG)  # an ngo
    admit(directory.runtime.log, member)
    own = Author(member.org, member.device)
    assert list_it(directory, data_of(org_kind="union"), own) == (422, "other_kind")


def test_an_organisation_that_begins_brings_its_own_kind(directory: Served) -> None:
    list_it(directory, data_of(org_kind="union"))
    admit(directory.runtime.log, Member.new(ORG))
    directory.runtime.publication.refresh()
    found = row(directory)
    assert found is not None
    assert found.kind == "ngo"


@pytest.mark.parametrize("stop", ["before_the_statement", "before_the_rows", "bytes_lost"])
def test_a_crash_between_two_steps_is_completed_by_the_next_start(
    tmp_path: Path, stop: str
) -> None:
    directory, data = served(tmp_path), data_of()
    directory.client.post("/blobs", data=data)
    if stop != "before_the_statement":
        heading = next_heading(directory, FIRST.id)
        statement = listing_statement(heading, FIRST.key, entry=entry_hash(data))
        directory.runtime.log.append(statement)
    assert row(directory) is None
    if stop == "bytes_lost":
        with directory.engine.begin() as connection:
            connection.execute(delete(EntryBytes))
    again = served(tmp_path)
    if stop == "before_the_statement":
        assert row(again) is None
        assert list_it(again, data, bytes_first=False) == (201, "")
    if stop == "bytes_lost":
        assert row(again) is None
        assert again.client.post("/blobs", data=data).status_code == 201
    found = row(again)
    assert found is not None
    assert found.entry == entry_hash(data)
    assert again.runtime.publication.refresh().changes == 0


def test_rows_that_nobody_signed_go_at_the_next_start(tmp_path: Path) -> None:
    directory = served(tmp_path)
    list_it(directory, data_of())
    with directory.engine.begin() as connection:
        connection.execute(update(Organisation).values(entry="0" * 64, name=CANARY))
    assert CANARY.encode() not in public(served(tmp_path))


def test_a_confidential_address_that_was_tried_leaves_no_trace(tmp_path: Path) -> None:
    directory = served(tmp_path)
    secret = json.loads(data_of(confidential="yes"))
    secret["services"][0]["place"] = {name: f"{CANARY}{name}" for name in list(ADDRESS)[:4]}
    data = json.dumps(secret, ensure_ascii=False, separators=(",", ":")).encode()
    assert directory.client.post("/blobs", data=data).status_code == 422
    assert list_it(directory, data)[0] == 409
    assert CANARY.encode() not in public(directory)
    directory.engine.dispose()
    assert not any(CANARY.encode() in file.read_bytes() for file in tmp_path.iterdir())


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[Served]:
    """One directory for all examples: what stays in it must stay harmless too."""
    with a_directory() as made:
        yield made


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_hostile_entry_never_reaches_a_public_byte(
    one_for_all: Served, chance: random.Random
) -> None:
    value = json.loads(data_of(**ADDRESS, hotline="+60 3-1000 0000", name_bn="আশ্রয়"))
    for _ in range(chance.randint(1, 3)):
        _mutate(value, chance)
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert one_for_all.client.post("/blobs", data=data).status_code == 422
    assert list_it(one_for_all, data)[0] == 409
    assert CANARY.encode() not in public(one_for_all)


def _mutate(value: dict[str, Any], chance: random.Random) -> None:
    """Put something hostile in the place of some value, or beside it under some name."""
    spots = list(_spots(value))
    holder, place = chance.choice(spots)
    how = chance.randint(0, 2)
    if how == 0 and isinstance(holder, dict):
        holder[chance.choice([HOSTILE, "address_1", "html", CANARY])] = HOSTILE
    elif how == 1 and isinstance(holder[place], str):
        holder[place] = chance.choice([HOSTILE + holder[place], holder[place] + HOSTILE])
    else:
        holder[place] = chance.choice([HOSTILE, [HOSTILE], {"en": HOSTILE}])


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    places = value.items() if isinstance(value, dict) else enumerate(value)
    for place, inner in places:
        yield value, place
        if isinstance(inner, dict | list):
            yield from _spots(inner)
