"""Taking back what has not left: once a case is withdrawn, cancelled or declined, nothing more of
her is told, whoever said so.

    give_up(rows, case)             # then fold the case anew

Warnings are never taken back. What was taken back counts as never said, on this desk too, unless a
receipt says that it had left all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from broker.desk.cases import DISCLOSES
from broker.desk.records import Case, Entry, Sending
from broker.desk.store import Rows
from contracts.identifiers import EventId
from contracts.lifecycle import WAIT_FOR_NOTHING


def give_up(rows: Rows, case: Case) -> None:
    """Let nothing more leave that tells of the person; part of the caller's transaction, which
    folds the case anew.

    What the hub has not accepted is taken back, with what was said after it, since the other side
    would wait for its cause for ever. If an answer of the hub's was lost it has left all the same,
    which its receipt will say. What the hub has is not handed to it again.
    """
    ours = [one for one in rows.letters() if one.case_row == case.row and not one.colleagues]
    carried = [(letter, rows.entry(letter.entry_row)) for letter in ours]
    gone = _taken_back(entry for letter, entry in carried if letter.state is Sending.KEPT)
    for letter, entry in carried:
        if letter.state is Sending.KEPT and entry.id in gone:
            rows.update_letter(replace(letter, state=Sending.GIVEN_UP), due_at=None)
            rows.forget_body(letter)
            if entry.sending is Sending.KEPT:
                rows.update_entry(replace(entry, sending=Sending.GIVEN_UP))
        elif letter.state is Sending.ACCEPTED and entry.type in DISCLOSES:
            rows.update_letter(letter, due_at=None)
            rows.forget_body(letter)


def _taken_back(unsent: Iterable[Entry]) -> frozenset[EventId]:
    """What tells of her, and what waits for it at the other side; warnings wait for nothing."""
    left = [entry for entry in unsent if entry.type not in WAIT_FOR_NOTHING]
    gone = {entry.id for entry in left if entry.type in DISCLOSES}
    while more := {entry.id for entry in left if gone & set(entry.after)} - gone:
        gone |= more
    return frozenset(gone)
