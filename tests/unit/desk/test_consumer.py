"""Handing over to an organisation's own system that fails, hangs, prints, or is not there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from broker.desk import consumer
from broker.desk.consumer import hand_over, run
from broker.desk.errors import DeskError
from broker.desk.outbox import back_off
from broker.desk.saying import say
from broker.desk.sending import send_referral
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from tests.unit.desk.simulated import CANARY, World, only_case

KEEP = "import sys; open({0!r}, 'ab').write(sys.stdin.buffer.read())"


@pytest.fixture
def theirs(world: World) -> Desk:
    """A desk that has received one referral."""
    ours, theirs = world.organisation("my"), world.organisation("bd")
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    world.settle(ours, theirs)
    return theirs


def command(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def test_each_message_is_one_line_of_json_handed_over_once(theirs: Desk, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    done = hand_over(theirs, command(KEEP.format(str(taken))))
    assert (done.handled, done.failed) == (1, 0)
    assert hand_over(theirs, command(KEEP.format(str(taken)))).handled == 0
    [line] = taken.read_bytes().splitlines()
    value = json.loads(line)
    case = only_case(theirs)
    assert (value["reference"], value["from"], value["demo"]) == (case.spoken, case.peer, True)
    assert value["message"]["body"]["note"]["text"] == CANARY


def test_anything_but_exit_0_is_repeated_with_back_off_across_restarts(
    world: World, theirs: Desk, tmp_path: Path
) -> None:
    for attempt in range(3):
        assert hand_over(theirs, command("raise SystemExit(3)")).failed == 1
        theirs = world.again(theirs)
        assert hand_over(theirs, command("raise SystemExit(3)")).failed == 0
        world.clock.pass_(back_off(attempt))
    assert hand_over(theirs, command(KEEP.format(str(tmp_path / "taken")))).handled == 1
    assert CANARY in (tmp_path / "taken").read_text()


def test_a_consumer_killed_while_handing_over_hands_over_again(
    world: World, theirs: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(consumer, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            hand_over(theirs, command("pass"))
    assert hand_over(theirs, command("pass")).handled == 0  # it may still be running
    world.clock.pass_(2 * consumer.PATIENCE)
    assert hand_over(theirs, command(KEEP.format(str(tmp_path / "taken")))).handled == 1


def test_a_command_that_hangs_is_ended_and_repeated(
    theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "PATIENCE", 0.2)
    assert hand_over(theirs, command("import time; time.sleep(60)")).failed == 1
    assert look(theirs).to_hand_over == 1


def test_a_command_that_is_not_there_is_a_sentence_and_costs_no_attempt(theirs: Desk) -> None:
    with pytest.raises(DeskError) as caught:
        hand_over(theirs, ("/no/such/command",))
    assert caught.value.code == "no_command"
    assert hand_over(theirs, command("pass")).handled == 1


def test_the_command_gets_no_secret_and_its_output_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUJUKAN_PASSPHRASE_FILE", "/secret/place")
    seen = tmp_path / "seen"
    script = (
        "import os, sys, json; text = sys.stdin.read(); print(text); print(text, file=sys.stderr);"
        f"open({str(seen)!r}, 'w').write(json.dumps([sys.argv, dict(os.environ)]))"
    )
    assert run(command(script), CANARY.encode()) == 0
    assert CANARY not in seen.read_text()
    assert "RUJUKAN" not in seen.read_text()
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err


def test_our_own_answers_are_not_handed_over(world: World, theirs: Desk) -> None:
    hand_over(theirs, command("pass"))
    say(theirs, only_case(theirs), "referral.acknowledged", {"by_role": "caseworker"})
    world.settle(theirs)
    assert look(theirs).to_hand_over == 0
