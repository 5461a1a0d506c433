"""A line that breaks just when a statement was handed in: what is said of it, and what is kept."""

from __future__ import annotations

import pytest

from broker.desk.asking import _reached
from broker.desk.client import Unreachable
from broker.desk.errors import DeskError
from broker.desk.publishing import Unanswered, publish
from broker.desk.unlocking import Desk
from contracts.drafting import org_statement
from contracts.register import Register
from contracts.signing import SigningKey
from contracts.statements import Statement
from tests.unit.desk.simulated import Directory, World


def new_root(world: World, desk: Desk, new: SigningKey) -> Statement:
    register: Register = desk.log.register
    heading = register.next_heading(desk.org, iat=world.clock())
    root = world.sticks[desk.org]
    return org_statement(heading, root=root, kind="ngo", new_root=new.public)


def test_where_nobody_can_say_it_is_not_called_undone(world: World, ours: Desk) -> None:
    """Otherwise somebody throws the new stick away, and in 72 hours nobody has the root key."""
    world.directory.lose_answers = True
    with pytest.raises(Unanswered):
        publish(ours, lambda _: new_root(world, ours, SigningKey.generate()))

    def commanded() -> None:
        with _reached():
            raise Unanswered

    with pytest.raises(DeskError, match="Keep every file") as caught:
        commanded()
    assert caught.value.code == "perhaps_published"


def test_a_directory_that_says_it_takes_nothing_now_is_believed(
    world: World, ours: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Directory, _statement: Statement) -> int:
        raise Unreachable(60)

    monkeypatch.setattr(Directory, "publish", full)
    with pytest.raises(Unreachable) as caught:
        publish(ours, lambda _: new_root(world, ours, SigningKey.generate()))
    assert not isinstance(caught.value, Unanswered)


def test_what_the_directory_has_taken_is_published_though_it_goes_away_then(
    world: World, ours: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Directory.publish

    def then_away(self: Directory, statement: Statement) -> int:
        index = taken(self, statement)
        self.log.reachable = False
        return index

    monkeypatch.setattr(Directory, "publish", then_away)
    assert publish(ours, lambda _: new_root(world, ours, SigningKey.generate()))
