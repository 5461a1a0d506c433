"""The application's parts: tables, index that follows the database, commands, settings."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner, Result

from broker.service.database import migrate, version_table
from contracts.codes import ORG_KINDS, POPULATIONS, SERVICES
from contracts.encoding import b64encode, dump_json, parse_json
from contracts.entries import parse_entries
from contracts.register import Register
from contracts.root import WITNESS_KEY, VerifierKey, parse_root
from contracts.signing import SigningKey
from contracts.statements import Statement
from directory import taxonomies
from directory.app import create_app
from directory.cli import main
from directory.db import db
from directory.logkey import Mark
from directory.models import Base
from directory.search.current import Search
from directory.search.query import Query
from directory.settings import DirectorySettings
from tests.unit.directory.support import (
    GOOD,
    NET,
    NOW,
    Member,
    admission,
    admit,
    csv_file,
    new_engine,
    served,
    store,
    write_root_file,
)
from tests.vouching import COORDINATORS, demo_root


def test_the_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    migrate(engine, "directory")
    options = {"version_table": version_table("directory"), "compare_type": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_flask_sqlalchemy_opens_the_database_in_our_way(tmp_path: Path) -> None:
    app = served(tmp_path).app
    with app.app_context(), db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_the_index_follows_the_listings(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    search = Search(engine, tmp_path / "index.db")
    other_worker = Search(engine, tmp_path / "index.db")
    assert search.find(Query()).total == 0
    store(engine, [GOOD])
    assert search.find(Query(text="harapan")).total == 1
    assert other_worker.find(Query(text="harapan")).total == 1
    store(engine, [{**GOOD, "service_name": "Rumah Baharu", "org_name": "Baharu DEMO"}])
    assert search.find(Query(text="harapan")).total == 0
    assert other_worker.find(Query(text="baharu")).total == 1


def test_a_serving_process_goes_on_with_the_old_index_while_a_new_one_is_made(
    tmp_path: Path,
) -> None:
    engine, path = new_engine(tmp_path), tmp_path / "index.db"
    serving = Search(engine, path)
    assert serving.find(Query()).total == 0

    def change() -> int:
        store(engine, [GOOD])
        return serving.find(Query()).total

    assert Search(engine, path).renew_after(change) == 0
    assert serving.find(Query()).total == 1


def test_a_damaged_or_missing_index_is_made_again(tmp_path: Path) -> None:
    engine, path = new_engine(tmp_path), tmp_path / "index.db"
    store(engine, [GOOD])
    path.write_bytes(b"not an index")
    assert Search(engine, path).find(Query()).total == 1
    path.unlink()
    assert Search(engine, path).find(Query()).total == 1


def test_a_search_is_found_in_no_log_and_in_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = served(tmp_path)
    store(directory.engine, [GOOD])
    for address in ("/services?search=qzqcanary", "/en/?q=qzqcanary", "/services?page=qzqcanary"):
        directory.client.get(address)
    directory.client.post("/services", json={"search": "qzqcanary"})
    out = "".join(capfd.readouterr())
    assert "qzqcanary" not in out
    assert not any(b"qzqcanary" in file.read_bytes() for file in tmp_path.iterdir())


def test_every_code_of_the_agreement_has_a_label_in_every_language() -> None:
    agreed = {"service": SERVICES, "population": POPULATIONS, "organisation_kind": ORG_KINDS}
    for name, codes in taxonomies.CODES.items():
        assert set(agreed.get(name, codes)) == set(codes)
        found = taxonomies.taxonomy(name)
        assert found.review == "unreviewed"
        for code in codes:
            assert set(found.terms[code]) == set(taxonomies.INTERFACE_LANGUAGES)
            assert all(words and all(words) for words in found.terms[code].values())


def test_every_spoken_language_and_country_has_a_name() -> None:
    for code in taxonomies.SPOKEN_LANGUAGES:
        assert taxonomies.language_name(code, "en") != code
    assert taxonomies.country_name("my", "bn") == "মালয়েশিয়া"
    assert not taxonomies.is_country("XX")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUJUKAN_DATABASE_URL", f"sqlite:///{tmp_path / 'directory.db'}")
    monkeypatch.setenv("RUJUKAN_ROOT_FILE", str(write_root_file(tmp_path)))
    monkeypatch.setenv("RUJUKAN_LOG_KEY_FILE", str(tmp_path / "log.key"))
    monkeypatch.setenv("RUJUKAN_INDEX_FILE", str(tmp_path / "index.db"))
    # It takes over the interpreter's hooks, which here are pytest's.
    monkeypatch.setattr("directory.cli.configure_logging", lambda *_: None)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_import_command_reports_and_exits_by_outcome(environment: Path) -> None:
    file, out = environment / "listings.csv", environment / "entries.json"
    file.write_bytes(csv_file([GOOD]))
    done = run("import", file, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["services"]["added"] == 1
    (entry,) = parse_entries(out.read_bytes())
    assert entry.org == GOOD["org_id"]
    assert run("import", file, "--out", out).exit_code == 1
    file.write_bytes(csv_file([{**GOOD, "country": "qzqcanary"}]))
    refused = run("import", file)
    assert refused.exit_code == 1
    assert "row 2, country" in refused.stderr
    assert "qzqcanary" not in refused.output
    assert run("import").exit_code == 2


def admission_file(folder: Path, statements: Sequence[Statement]) -> Path:
    file = folder / "admission.json"
    carried = [parse_json(one.render(), limit=9999) for one in statements]
    file.write_bytes(dump_json({"statements": carried}))
    return file


def test_the_import_org_command_admits_all_or_none(environment: Path) -> None:
    now = int(time.time())
    register = Register(parse_root(demo_root(net=NET)))
    statements = admission(register, Member.new(now=now), now=now)
    # Without the two vouches nobody is admitted by an operator either.
    assert run("import-org", admission_file(environment, statements[2:])).exit_code == 1
    done = run("import-org", admission_file(environment, statements), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"statements": 5, "new": 5, "indexes": [0, 1, 2, 3, 4]}
    again = run("import-org", admission_file(environment, statements), "--json")
    assert json.loads(again.stdout)["new"] == 0
    marked = Mark(environment / "log.key.signed").read()
    assert marked is not None
    assert marked.size == 5


def test_an_old_database_takes_no_admission_and_the_sentence_says_why(environment: Path) -> None:
    now = int(time.time())
    register = Register(parse_root(demo_root(net=NET)))
    file = admission_file(environment, admission(register, Member.new(now=now), now=now))
    assert run("import-org", file).exit_code == 0
    for part in environment.glob("directory.db*"):
        part.unlink()
    refused = run("import-org", file)
    assert refused.exit_code == 1
    assert "older than what the log has signed" in refused.stderr


def test_a_directory_with_an_old_database_serves_its_pages_and_says_why_it_takes_nothing(
    tmp_path: Path,
) -> None:
    first = served(tmp_path)
    admit(first.runtime.log, Member.new())
    first.runtime.logbook.advance()
    first.close()
    for part in tmp_path.glob("directory.db*"):
        part.unlink()
    restored = served(tmp_path)
    assert restored.client.get("/services").status_code == 200
    for answer in (
        restored.client.get("/log/checkpoint"),
        restored.client.post("/log/statements", data=Member.new().statements[0].render()),
    ):
        said = json.loads(answer.data)
        assert (answer.status_code, said["code"]) == (503, "log_closed")
        assert "operator" in said["detail"]
        assert int(answer.headers["Retry-After"]) > 0
    restored.close()


def test_a_log_with_witnesses_is_shut_until_they_have_been_asked(tmp_path: Path) -> None:
    witness = {
        "country": "my",
        "url": "https://witness.example",
        "key": VerifierKey("witness.example", WITNESS_KEY, bytes(range(32))).render(),
    }
    (tmp_path / "witness.json").write_text(json.dumps(witness))
    hub = b64encode(SigningKey.generate().public)
    out = tmp_path / "root.json"
    given = ["--hub-url", "http://127.0.0.1:8001", "--hub-key", hub, "--out", out]
    witnessed = ["--witness", tmp_path / "witness.json", "--k", "1"]
    made = run("root-file", "--net", "directory.example", *given, *witnessed)
    assert made.exit_code == 0, made.output
    settings = DirectorySettings(
        database_url=f"sqlite:///{tmp_path / 'directory.db'}",
        root_file=out,
        log_key_file=tmp_path / "log.key",
        index_file=tmp_path / "index.db",
    )
    app = create_app(settings, clock=lambda: NOW)
    answer = app.test_client().get("/log/checkpoint")
    assert answer.status_code == 503
    assert "witnesses" in answer.get_json()["detail"]


def test_the_root_file_command_makes_a_root_file_and_the_logs_key(tmp_path: Path) -> None:
    hub = b64encode(SigningKey.generate().public)
    out = tmp_path / "root.json"
    given = ["--hub-url", "http://127.0.0.1:8001", "--hub-key", hub, "--out", out]
    made = run("root-file", "--net", "demo.test", *given, "--json")
    assert made.exit_code == 0, made.output
    root = parse_root(out.read_bytes())
    assert json.loads(made.stdout)["hash"] == root.hash
    key = tmp_path / "log.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("root-file", "--net", "demo.test", *given).exit_code == 1
    out.unlink()
    assert run("root-file", "--net", "demo.test", *given).exit_code == 0
    assert parse_root(out.read_bytes()).log.public == root.log.public
    out.unlink()
    key.chmod(0o644)
    assert run("root-file", "--net", "demo.test", *given).exit_code == 1
    assert not out.exists()


def test_the_root_file_names_the_coordinators_and_witnesses_it_was_given(tmp_path: Path) -> None:
    for number, one in enumerate(COORDINATORS[:2]):
        public = {"id": one.id, "country": one.country, "key": b64encode(one.public.key)}
        (tmp_path / f"c{number}.json").write_text(json.dumps(public))
    for country in ("my", "bd", "id"):
        key = SigningKey.generate().public
        vkey = VerifierKey(f"witness.{country}", WITNESS_KEY, key).render()
        url = f"https://witness.{country}.example"
        witness = {"country": country, "url": url, "key": vkey}
        (tmp_path / f"{country}.json").write_text(json.dumps(witness))
    out = tmp_path / "root.json"
    hub = b64encode(SigningKey.generate().public)
    given = ["--net", "net.example", "--hub-url", "https://hub.example", "--hub-key", hub]
    given += ["--out", str(out), "--coordinator", str(tmp_path / "c0.json")]
    given += ["--coordinator", str(tmp_path / "c1.json")]
    for country in ("my", "bd", "id"):
        given += ["--witness", str(tmp_path / f"{country}.json")]
    assert run("root-file", *given, "--k", "1").exit_code == 1
    assert not out.exists()
    assert run("root-file", *given, "--k", "2").exit_code == 0
    root = parse_root(out.read_bytes())
    assert root.coordinators == tuple(one.public for one in COORDINATORS[:2])
    assert [witness.country for witness in root.witnesses] == ["my", "bd", "id"]
    assert (root.k, root.demonstration) == (2, False)
    (tmp_path / "c0.json").write_text('{"id": "my"}')
    out.unlink()
    assert run("root-file", *given, "--k", "2").exit_code == 1


@pytest.mark.parametrize("net", ["real.example", "demo."])
def test_a_root_file_without_witnesses_is_only_made_for_a_demonstration(
    tmp_path: Path, net: str
) -> None:
    hub = b64encode(SigningKey.generate().public)
    given = ["--hub-url", "http://127.0.0.1:8001", "--hub-key", hub]
    out = tmp_path / "root.json"
    assert run("root-file", "--net", net, *given, "--out", out).exit_code == 1
    assert not out.exists()


def test_missing_settings_are_told_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RUJUKAN_")]:
        monkeypatch.delenv(name)
    refused = run("serve")
    assert refused.exit_code == 1
    assert refused.stderr.count("RUJUKAN_") >= 4
