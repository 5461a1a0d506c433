"""Coordinators at work: they see what they sign, and it is said once, in the network's own log."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from broker.desk.coordinator import QUESTIONS
from broker.desk.enrolment import render_admission
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId
from contracts.root import Coordinator, make_root, read_root
from contracts.routing import RouteState
from contracts.statements import parse_statement
from directory.models import EntryBytes
from directory.publicfiles import read_coordinator
from tests.unit.desk.coordinating import PASSPHRASE, CoordinatedNetwork, coordinated
from tests.unit.directory.support import GOOD, NET, NOW, ORG, OTHER, Member
from tests.vouching import COORDINATORS

ROWS = [
    {**GOOD, "org_id": f"my-{number:016x}", "org_name": f"N{number} DEMO"} for number in (1, 2, 3)
]
ORGS = [OrgId(row["org_id"]) for row in ROWS]
SINCE = "2027-01-01"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CoordinatedNetwork]:
    with coordinated(tmp_path, monkeypatch) as made:
        yield made


def admission(network: CoordinatedNetwork, member: Member) -> str:
    file = network.folder / "admission.json"
    file.write_bytes(render_admission(member.statements))
    return str(file)


def test_a_new_coordinator_has_a_public_file_for_the_root_and_a_closed_secret(
    network: CoordinatedNetwork,
) -> None:
    key, public = network.folder / "new.key", network.folder / "new.json"
    words = ["--country", "th", "--net", NET, "--key-file", str(key), "--out", str(public)]
    words += ["--passphrase-file", str(network.folder / "passphrase")]
    made = network.run(0, "init", *words, "--json")
    assert made.exit_code == 0, made.output
    value = json.loads(made.stdout)
    found = read_coordinator(public.read_bytes())
    assert (found.id, found.country) == (value["coordinator"], "th")
    assert value["fingerprint"] == fingerprint(found.id, root=found.key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert PASSPHRASE not in key.read_bytes()
    assert network.run(0, "init", *words).exit_code == 1  # nothing is written over
    refused = network.run(0, "vouch", ORG, "--key-file", str(key), "--yes")
    assert "does not list" in refused.stderr


def test_two_coordinators_vouch_and_the_organisation_is_admitted(
    network: CoordinatedNetwork,
) -> None:
    member = Member.new(ORG)
    file = admission(network, member)
    for number in (0, 1):
        assert network.done(number, "vouch", file)["org"] == ORG
    assert network.register.vouches(member.org, member.statements[0].hash) == 2
    network.directory.runtime.log.append_all(member.statements)
    assert network.register.organisation(member.org) is not None


def test_a_coordinator_is_shown_the_digits_and_answers_each_question(
    network: CoordinatedNetwork,
) -> None:
    member = Member.new(ORG)
    file = admission(network, member)
    for answered in range(len(QUESTIONS) + 1):
        answers = ["yes"] * answered + ["no"] * 9
        result = network.signing(0, "vouch", file, answers=answers)
        assert result.exit_code == 1
        assert fingerprint(member.org, root=member.root.public) in result.stdout
    assert network.directory.runtime.log.size() == 0
    done = network.signing(0, "vouch", file)
    assert done.exit_code == 0, done.output
    assert all(question in done.stdout for question in QUESTIONS)
    assert network.directory.runtime.log.size() == 1


def test_nobody_vouches_for_a_second_beginning_of_an_organisation(
    network: CoordinatedNetwork,
) -> None:
    network.admit(Member.new(ORG))
    stranger = admission(network, Member.new(ORG))
    assert "putting another organisation in its place" in network.refused(0, "vouch", stranger)


def test_a_vouch_is_renewed_by_the_organisations_id(network: CoordinatedNetwork) -> None:
    network.admit(Member.new(ORG))
    network.done(3, "vouch", ORG)
    known = network.register.organisation(OrgId(ORG))
    assert known is not None
    assert len(known.vouches) == 3


def test_entries_are_listed_and_confirmed_by_a_second_coordinator(
    network: CoordinatedNetwork,
) -> None:
    file = network.entries_file(ROWS)
    first = network.done(2, "list", file)
    assert (first["entered"], first["seen_in_log"], first["new"]) == (3, 3, ORGS)
    again = network.done(2, "list", file)
    assert (again["entered"], again["unchanged"]) == (0, ORGS)
    other = network.done(3, "list", file)
    assert (other["entered"], other["to_confirm"]) == (0, ORGS)
    assert "another coordinator has to confirm" in network.refused(2, "confirm", ORGS[0])
    network.done(3, "confirm", ORGS[0])
    assert [one.unconfirmed for one in network.register.listings] == [False, True, True]
    shown = network.directory.client.get(f"/services?search={ROWS[0]['org_name']}").data
    assert b"N1 DEMO" in shown


def test_what_is_signed_is_shown_before_it_is_signed(network: CoordinatedNetwork) -> None:
    file = network.entries_file([{**ROWS[0], "phone": "+60 3-1000 0000"}])
    network.done(2, "list", file)
    result = network.signing(3, "confirm", ORGS[0], answers=["no"])
    assert result.exit_code == 1
    assert "+60 3-1000 0000" in result.stdout
    assert network.register.listings[0].unconfirmed


@pytest.mark.parametrize("lose_answers", [False, True])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_listing_goes_on_where_it_was_cut_off(
    network: CoordinatedNetwork, after: int, lose_answers: bool
) -> None:
    file = network.entries_file(ROWS)
    network.line.left, network.line.lose_answers = after, lose_answers
    cut = network.signing(2, "list", file, "--yes")
    assert cut.exit_code == 1
    assert f"{after} of 3 are entered. Run the same command again" in cut.stderr
    network.line.left = None
    done = network.done(2, "list", file)
    assert done["entered"] == 3 - after - lose_answers
    assert network.directory.runtime.log.size() == 3
    assert [one.org for one in network.register.listings] == ORGS


def test_an_organisation_with_keys_is_left_alone(network: CoordinatedNetwork) -> None:
    network.admit(Member.new(ORG))
    done = network.done(2, "list", network.entries_file([GOOD, ROWS[0]]))
    assert (done["entered"], done["list_themselves"]) == (1, [ORG])


def test_a_hostile_file_of_entries_cannot_write_on_the_screen(network: CoordinatedNetwork) -> None:
    file = Path(network.entries_file([ROWS[0]]))
    file.write_bytes(file.read_bytes().replace(b"N1 DEMO", rb"N1 DEMO\u001b[2J"))
    result = network.signing(2, "list", str(file))
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "entry breaks a rule, in org name" in result.stderr.replace("_", " ")


def test_a_directory_that_answers_other_bytes_shows_none(network: CoordinatedNetwork) -> None:
    network.done(2, "list", network.entries_file([ROWS[0]]))

    with network.directory.engine.begin() as connection:
        connection.execute(update(EntryBytes).values(data=b"{}"))
    assert "nobody can look at it" in network.refused(3, "confirm", ORGS[0])


def test_a_device_is_frozen_by_the_beginning_of_its_id(network: CoordinatedNetwork) -> None:
    member = Member.new(ORG)
    network.admit(member)
    device = member.device.key_id
    assert "no device" in network.refused(0, "freeze", ORG, "--device", "zz", "--since", SINCE)
    network.done(0, "freeze", ORG, "--device", device[:6], "--since", SINCE)
    found = network.register.device(member.org, device)
    assert found is not None
    assert found.stopped is not None


def test_an_organisation_is_frozen_and_nobody_unknown_is(network: CoordinatedNetwork) -> None:
    network.admit(Member.new(ORG))
    network.refused(0, "freeze", OTHER, "--since", SINCE)
    network.refused(0, "freeze", ORG, "--since", "2099-01-01")
    network.done(0, "freeze", ORG, "--since", SINCE)
    known = network.register.organisation(OrgId(ORG))
    assert known is not None
    assert known.frozen(NOW)


def test_a_route_counts_once_both_countries_have_signed(network: CoordinatedNetwork) -> None:
    draft = str(network.folder / "route.json")
    made = network.done(0, "route", "MY", "BD", "signed", "--out", draft)
    assert (made["complete"], made["missing"]) == (False, "wrong_signers")
    assert "Not everybody who must sign" in _post_refused(network, draft)
    signed = network.done(1, "sign", draft)
    assert (signed["complete"], len(signed["signers"])) == (True, 2)
    assert network.run(2, "post", draft, "--yes").exit_code == 0
    assert network.register.routes.state("my", "bd") is RouteState.SIGNED


def _post_refused(network: CoordinatedNetwork, draft: str) -> str:
    result = network.run(2, "post", draft, "--yes")
    assert result.exit_code == 1
    return result.stderr


def test_a_new_root_file_is_put_into_words_and_needs_most_coordinators(
    network: CoordinatedNetwork,
) -> None:
    before = network.root
    file, draft = network.folder / "root2.json", str(network.folder / "draft.json")
    kept: list[Coordinator] = [*before.coordinators[:3]]
    file.write_bytes(
        make_root(net=NET, log=before.log.public, hubs=before.hubs, coordinators=kept, version=2)
    )
    result = network.signing(0, "root", str(file), "--out", draft)
    assert result.exit_code == 0, result.output
    assert f"Coordinator taken out: {COORDINATORS[3].id}" in result.stdout
    assert read_root(parse_statement(file.read_bytes()).body).hash in result.stdout
    for number in (1, 2):
        last = network.done(number, "sign", draft)
    assert last["complete"]
    assert network.run(0, "post", draft, "--yes").exit_code == 0
    assert network.register.root.version == 2
    assert "does not list" in network.refused(3, "vouch", ORG)


def test_a_statement_that_is_no_draft_for_coordinators_is_not_signed(
    network: CoordinatedNetwork,
) -> None:
    file = network.folder / "odd.json"
    file.write_bytes(Member.new(ORG).statements[0].render())
    assert "not a draft that a coordinator signs" in network.refused(0, "sign", str(file))
    file.write_bytes(b"{}")
    network.refused(0, "sign", str(file))


def test_a_program_says_yes_and_is_told_so(network: CoordinatedNetwork) -> None:
    result = network.signing(2, "list", network.entries_file(ROWS), "--json")
    assert result.exit_code == 1
    assert "--yes" in json.loads(result.stdout)["error"]
