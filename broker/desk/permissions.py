"""By what right things are told in a case now: the request, and the latest consent or basis.

Opens messages, so that rules can look at them; decides nothing. The latest is the one that the
fold applied last, not the one that arrived last: the hub may reorder, and both sides must agree.
"""

from __future__ import annotations

from broker.desk.cases import folded
from broker.desk.errors import DeskError
from broker.desk.records import Case, Entry
from broker.desk.store import Rows
from contracts.bodies import Basis, Consent, ConsentUpdated, ReferralRequested
from contracts.fold import Place
from contracts.messages import parse_message
from contracts.safety import permission_now


def request_of(rows: Rows, case: Case) -> ReferralRequested:
    """The request that began a case, opened."""
    request = next(entry for entry in rows.entries(case.row) if entry.is_request)
    body = parse_message(rows.message(request.row)).body
    if not isinstance(body, ReferralRequested):
        raise DeskError("archive_damaged")
    return body


def permission_of(rows: Rows, case: Case) -> Consent | Basis | None:
    """By what right things are told in this case now."""
    return permission_now(request_of(rows, case), _updates(rows, case))


def _updates(rows: Rows, case: Case) -> list[ConsentUpdated]:
    """The updates that applied, in the order in which the fold applied them."""
    entries = rows.entries(case.row)
    places = folded(case, entries).places
    by_key = {entry.told(case.side).key: entry for entry in entries if _is_update(entry)}
    applied = [by_key[key] for key in places if key in by_key and places[key] is Place.APPLIED]
    bodies = [parse_message(rows.message(entry.row)).body for entry in applied]
    return [body for body in bodies if isinstance(body, ConsentUpdated)]


def _is_update(entry: Entry) -> bool:
    return entry.type == "consent.updated"
