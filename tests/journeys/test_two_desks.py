"""Two desks on the command line, a real directory and a real hub: the whole way of a referral."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.network import CommandLineDesk, RunningNetwork, prepare, running

CANARY = "canary-2c91-kumquat"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    with running(tmp_path_factory.mktemp("network")) as network:
        yield network


@pytest.fixture(scope="module")
def ours(network: RunningNetwork) -> CommandLineDesk:
    return network.desk("my")


@pytest.fixture(scope="module")
def theirs(network: RunningNetwork) -> CommandLineDesk:
    return network.desk("bd")


def listing(*rows: dict[str, str]) -> str:
    """A table of services as an operator imports it."""
    names = list(rows[0])
    lines = [",".join(names), *(",".join(row[name] for name in names) for row in rows)]
    return "\n".join(lines) + "\n"


def service_of(org: str, name: str) -> dict[str, str]:
    """The columns that the demonstration's listing has, filled for one fictional shelter."""
    return {
        "org_id": org, "org_name": name, "org_kind": "ngo", "demo": "yes",
        "org_description": "DEMO fictional", "service_key": "shelter",
        "service_name": f"{name} shelter", "description": "DEMO fictional", "services": "shelter",
        "languages": "ben;eng", "country": "BD", "confirmed_on": "2026-10-05",
    }  # fmt: skip


def request(desk: CommandLineDesk, to: str, service: str) -> bytes:
    """The example that `send --example` prints, with a canary in its note."""
    printed = desk.run("send", "--example", "--to", to, "--service", service)
    assert printed.code == 0, printed.err
    body = json.loads(printed.out)
    body["note"]["text"] = CANARY
    return json.dumps(body).encode()


def test_a_referral_goes_from_search_to_acceptance(
    network: RunningNetwork, ours: CommandLineDesk, theirs: CommandLineDesk
) -> None:
    silent = "bd-00000000000000aa"
    network.list_services(
        listing(service_of(theirs.org, "Asha DEMO"), service_of(silent, "Nodesk DEMO"))
    )
    found = {one["org"]: one for one in ours.json("find", "shelter", "--country", "bd")["services"]}
    assert found[theirs.org]["can_receive"] is True
    assert found[silent]["can_receive"] is False

    body = request(ours, theirs.org, found[theirs.org]["service_id"])
    refused = ours.run("send", "--to", silent, "-", given=body)
    assert (refused.code, "not an organisation of this network" in refused.err) == (1, True)

    sent = ours.json("send", "--to", theirs.org, "-", given=body)
    assert sent["state"] == "sent"
    assert sent["demo"] is True
    reference = sent["reference"]

    [case] = theirs.json("inbox")["cases"]
    assert (case["reference"], case["state"], case["peer"]) == (reference, "delivered", ours.org)
    assert CANARY not in json.dumps(case)
    assert CANARY not in theirs.run("show", reference).out
    opened = theirs.run("show", reference, "--note")
    assert CANARY in opened.out
    assert "DEMO" in opened.out

    assert theirs.json("answer", reference, "accept", "--role", "caseworker")["sent"] == [
        "referral.acknowledged",
        "referral.accepted",
    ]
    assert {one["state"] for one in ours.json("inbox")["cases"]} == {"accepted"}
    again = theirs.run("answer", reference, "decline", "--reason", "no_capacity",
                       "--next-step", "phone_us")  # fmt: skip
    assert again.code == 1
    assert "accepted" in again.err


def test_a_system_takes_over_what_its_desk_has_received(
    ours: CommandLineDesk, theirs: CommandLineDesk, tmp_path: Path
) -> None:
    body = request(ours, theirs.org, "11111111-1111-4111-8111-111111111111")
    reference = ours.json("send", "--to", theirs.org, "-", given=body)["reference"]
    kept = tmp_path / "taken.jsonl"
    program = tmp_path / "system.py"
    program.write_text(
        "import os, sys\n"
        f"open({str(kept)!r}, 'a').write(sys.stdin.read())\n"
        "sys.exit(1 if any(n.startswith('RUJUKAN') for n in os.environ) else 0)\n"
    )
    command = shlex.join([sys.executable, str(program)])
    outcome = theirs.run("consume", "--once", "--exec", command)
    assert outcome.code == 0, outcome
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    [taken] = [line for line in lines if line["reference"] == reference]
    assert taken["message"]["body"]["note"]["text"] == CANARY
    assert CANARY not in outcome.out + outcome.err
    assert theirs.json("status")["to_hand_over"] == 0


def test_the_wrong_passphrase_is_one_sentence_and_exit_1(
    ours: CommandLineDesk, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the passphrase at all\n")
    environ = {**ours.environ, "RUJUKAN_PASSPHRASE_FILE": str(wrong)}
    outcome = CommandLineDesk(ours.folder, environ).run("inbox")
    assert outcome.code == 1
    assert len(outcome.err.strip().splitlines()) == 1
    assert "Traceback" not in outcome.err


def test_nobody_but_the_owner_can_read_a_desks_files(ours: CommandLineDesk) -> None:
    for path in [ours.home, *ours.home.iterdir(), ours.folder / "stick.key"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_missing_setting_is_named_and_wrong_usage_ends_with_2(ours: CommandLineDesk) -> None:
    bare = {name: value for name, value in ours.environ.items() if "ROOT_FILE" not in name}
    outcome = CommandLineDesk(ours.folder, bare).run("inbox")
    assert outcome.code == 1
    assert "RUJUKAN_ROOT_FILE" in outcome.err
    assert ours.run("answer", "ABCDEF", "perhaps").code == 2
    assert ours.run("send").code == 2


def test_hub_down_while_sending_keeps_the_bytes_and_sends_them_later(tmp_path: Path) -> None:
    network = prepare(tmp_path)
    with network.serving("directory"):
        ours, theirs = network.desk("my"), network.desk("bd")
        body = request(ours, theirs.org, "11111111-1111-4111-8111-111111111111")
        kept = ours.run("send", "--to", theirs.org, "-", "--json", given=body)
        assert kept.code == 0, kept
        assert (kept.value["state"], kept.value["kept"]) == ("draft", True)
        assert "kept" in kept.err
        assert ours.json("status")["hub_reachable"] is False
        with network.serving("hub"):
            assert ours.json("status")["hub_reachable"] is True
            assert [one["state"] for one in ours.json("inbox")["cases"]] == ["sent"]
            assert [one["state"] for one in theirs.json("inbox")["cases"]] == ["delivered"]


def test_an_organisation_not_yet_admitted_is_told_so(network: RunningNetwork) -> None:
    desk = network.desk("my", admitted=False)
    outcome = desk.run("inbox")
    assert outcome.code == 0
    assert "admission file" in outcome.err
    refused = desk.run(
        "send", "--to", "bd-0123456789abcdef", "-",
        given=request(desk, "bd-0123456789abcdef", "11111111-1111-4111-8111-111111111111"),
    )  # fmt: skip
    assert refused.code == 1
    assert "admission file" in refused.err
    network.coordinators.vouch(desk.folder / "admission.json")
    assert desk.json("status")["key_weeks_ahead"] == 12


def test_a_locked_desks_files_hold_nothing_of_a_case(
    ours: CommandLineDesk, theirs: CommandLineDesk
) -> None:
    body = request(ours, theirs.org, "11111111-1111-4111-8111-111111111111")
    sent = ours.json("send", "--to", theirs.org, "-", given=body)
    theirs.json("inbox")
    for desk, peer in ((ours, theirs.org), (theirs, ours.org)):
        held = b"".join(path.read_bytes() for path in desk.home.glob("desk*"))
        for secret in (CANARY, peer, sent["referral_ref"], "referral.requested", "shelter"):
            assert secret.encode() not in held
            assert secret.encode().hex().encode() not in held
