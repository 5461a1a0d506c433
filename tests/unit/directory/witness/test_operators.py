"""What can go wrong for whoever runs a witness: key, settings, database, an alarm to look into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect

from broker.service.failures import Failure
from broker.service.settings import NotUsable, settings_table
from contracts.root import WITNESS_KEY, parse_vkey
from directory.cli import main
from directory.witness.keyfile import Marks, witness_key
from directory.witness.rules import Mark
from directory.witness.settings import WitnessSettings, read_logs, witness_name
from directory.witness.tables import METADATA
from tests.unit.contracts.authors import NOW
from tests.unit.directory.witness.logs import WITNESS, Asked, Log, World

URL = "https://witness.example"


def run(world: World, *arguments: str) -> Result:
    settings = world.settings()
    environ = {
        "RUJUKAN_WITNESS_KEY_FILE": str(settings.key_file),
        "RUJUKAN_WITNESS_DATABASE_URL": settings.database_url,
    }
    return CliRunner().invoke(main, arguments, env=environ)


def make_key(world: World, **changed: str) -> Result:
    options = {"name": WITNESS, "country": "my", "url": URL, "out": str(world.folder / "public")}
    given = [f"--{name}={value}" for name, value in (options | changed).items()]
    return run(world, "witness-key", *given)


def test_the_public_part_is_what_a_root_file_lists(world: World) -> None:
    assert make_key(world).exit_code == 0
    public = json.loads((world.folder / "public").read_text())
    key = parse_vkey(public["key"], kind=WITNESS_KEY, field="key")
    assert public == {"country": "my", "url": URL, "key": key.render()}
    assert key == world.witness().vkey
    assert (world.folder / "witness.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_never_made_anew(world: World) -> None:
    make_key(world)
    before = (world.folder / "witness.key").read_bytes()
    assert make_key(world, out=str(world.folder / "again")).exit_code == 0
    assert (world.folder / "witness.key").read_bytes() == before
    assert make_key(world).exit_code == 1, "a file that is there was written over"


@pytest.mark.parametrize(
    "changed",
    [{"name": "Witness"}, {"name": "a b"}, {"country": "MY"}, {"url": "http://witness.example"}],
)
def test_what_no_root_file_could_list_is_refused(world: World, changed: dict[str, str]) -> None:
    done = make_key(world, **changed)
    assert done.exit_code == 1
    assert "Nothing was written" in done.output
    assert not (world.folder / "witness.key").exists()


def test_a_key_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "key"
    witness_key(path)
    path.chmod(0o640)
    with pytest.raises(Failure, match="chmod 600"):
        witness_key(path)


def test_a_file_that_is_no_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text("CANARY")
    with pytest.raises(Failure) as failure:
        witness_key(path)
    assert "CANARY" not in str(failure.value)


def test_a_mark_that_cannot_be_read_stops_signing(witness: Asked, log: Log, world: World) -> None:
    log.write(2)
    witness.sign(log)
    (mark,) = (world.folder / "witness.key.signed").iterdir()
    mark.write_bytes(b"{}")
    log.write(1)
    assert witness.ask(log.request(2)).status_code == 500
    assert witness.store.kept(log.net).size == 2


def test_a_mark_is_of_one_log_and_private(tmp_path: Path) -> None:
    marks = Marks.beside(tmp_path / "key")
    assert marks.read("demo.a.example") is None
    marks.raise_to("demo.a.example", Mark(3, bytes(32), NOW))
    marks.raise_to("demo.a.example/b", Mark(4, bytes(32), NOW))
    assert marks.read("demo.a.example") == Mark(3, bytes(32), NOW)
    files = list((tmp_path / "key.signed").iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_stop_is_shown_with_its_evidence_and_taken_away_by_name(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(3)
    witness.sign(log)
    fork = log.fork(1)
    fork.write(2, says="another past")
    witness.ask(fork.request(3))
    shown = run(world, "witness-stops")
    for root in (log.note(), fork.note()):
        assert root.text.decode() in shown.output
    (stop,) = json.loads(run(world, "witness-stops", "--json").output)["stops"]
    assert (stop["net"], stop["code"]) == (log.net, "other_root")
    assert run(world, "witness-stops", "--resolve", "demo.other.example").exit_code == 1
    assert run(world, "witness-stops", "--resolve", log.net).output == "No log is stopped.\n"
    witness.sign(log)


def test_leaves_damaged_on_the_disk_are_noticed_before_anything_is_signed(
    witness: Asked, log: Log, world: World
) -> None:
    log.write(3)
    witness.sign(log)
    with witness.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE witness_leaf SET data = x'00' WHERE number = 1")
    restarted = world.witness()
    answer = restarted.ask(log.request(3))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "damaged")


LOGS = {
    "no JSON": "{",
    "another member": '{"logs": [], "more": 1}',
    "no log": '{"logs": []}',
    "no root file": '{"logs": [{"root_file": "none", "directory_url": "https://a.example"}]}',
    "unverified": '{"logs": [{"root_file": "ROOT", "directory_url": "http://a.example"}]}',
    "twice": '{"logs": [%s, %s]}'
    % (('{"root_file": "ROOT", "directory_url": "https://a.example"}',) * 2),
}


@pytest.mark.parametrize("broken", LOGS)
def test_a_list_of_logs_that_cannot_be_used_is_a_sentence(world: World, broken: str) -> None:
    file = world.folder / "broken.json"
    file.write_text(LOGS[broken].replace("ROOT", f"{world.log.net}.root.json"))
    with pytest.raises(Failure, match=r"Nothing was\s+started"):
        read_logs(file)


@pytest.mark.parametrize("name", ["", "a", "Witness.example", "a+b", "a b", "é.example"])
def test_a_name_no_key_line_can_hold(name: str) -> None:
    with pytest.raises(NotUsable):
        witness_name(name)


def test_the_tables_are_those_the_migration_makes(witness: Asked) -> None:
    made = inspect(witness.engine)
    for table in METADATA.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}


def test_every_setting_of_the_witness_is_in_the_document() -> None:
    document = Path(__file__).parents[4] / "docs" / "settings.md"
    assert settings_table(WitnessSettings) in document.read_text(encoding="utf-8")
