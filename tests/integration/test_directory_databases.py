"""The directory on SQLite and on PostgreSQL: the same answers, and two writers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from broker.service.addresses import database_url
from broker.service.database import migrate, open_engine
from contracts.errors import Refused
from contracts.log import decode_leaf
from contracts.quorum import accept_checkpoint
from contracts.register import Register
from contracts.root import parse_root
from contracts.statements import Statement
from directory.logbook import open_logbook
from directory.logkey import Mark
from directory.models import Place, SignedCheckpoint
from directory.rounds import Rounds
from directory.search.current import Search
from directory.search.query import Query
from directory.statements import StatementLog
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NET,
    NOW,
    OTHER,
    Member,
    admission,
    admit,
    new_log,
    served,
    store,
    write_log_key,
)
from tests.vouching import COORDINATORS, Signer, demo_root

DEMO = Path(__file__).parents[2] / "docker" / "demo" / "listings.csv"
WRITERS = 4
EACH = 12


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'directory.db'}"
    return database_url(request.getfixturevalue("postgres"))


@pytest.fixture
def connect(url: str) -> Iterator[Callable[[], Engine]]:
    """Opens the migrated database anew, as another process would."""
    opened: list[Engine] = []

    def one_more() -> Engine:
        opened.append(open_engine(url))
        return opened[-1]

    migrate(one_more(), "directory")
    yield one_more
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(connect: Callable[[], Engine]) -> Engine:
    return connect()


def together(*tasks: Callable[[], None]) -> list[BaseException]:
    """Run the tasks at once; what they raised."""
    start = threading.Barrier(len(tasks))
    raised: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        start.wait()
        try:
            task()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def appending(log: StatementLog, *statements: Statement) -> Callable[[], None]:
    def append() -> None:
        log.append_all(statements)

    return append


def test_writers_at_once_leave_no_gap_and_lose_no_statement(
    connect: Callable[[], Engine],
) -> None:
    members = [Member.new(f"my-{n:016x}") for n in range(WRITERS)]
    for member in members:
        admit(new_log(connect()), member)

    def writer(member: Member) -> Callable[[], None]:
        log = new_log(connect())

        def write() -> None:
            last = member.statements[-1]
            heading = member.heading
            for _ in range(EACH):
                heading = heading.following(last, iat=NOW)
                last = member.more_keys(heading)
                log.append(last)

        return write

    assert together(*(writer(member) for member in members)) == []
    leaves = new_log(connect()).leaves(0, 1000)
    assert len(leaves) == (5 + EACH) * WRITERS
    register = Register(parse_root(demo_root(net=NET)))
    for leaf in leaves:
        register.apply(decode_leaf(leaf))
    assert {found.seq for found in register.organisations} == {3 + EACH}


def test_of_two_statements_for_one_place_in_a_chain_one_is_refused(
    connect: Callable[[], Engine],
) -> None:
    member = Member.new()
    logs = [new_log(connect()), new_log(connect())]
    admit(logs[0], member)
    heading = member.heading.following(member.statements[2], iat=NOW)
    rivals = [member.more_keys(heading), member.more_keys(heading)]
    assert rivals[0].hash != rivals[1].hash
    raised = together(*(appending(log, one) for log, one in zip(logs, rivals, strict=True)))
    assert [type(error) for error in raised] == [Refused]
    assert len(logs[0].leaves(0, 10)) == 6


def test_the_same_statement_twice_at_once_stands_in_the_log_once(
    connect: Callable[[], Engine],
) -> None:
    logs = [new_log(connect()), new_log(connect())]
    admitted = admission(logs[0].register(), Member.new())
    assert together(*(appending(log, *admitted) for log in logs)) == []
    assert len(logs[0].leaves(0, 10)) == 5


def test_processes_that_write_and_sign_at_once_sign_one_root_for_each_size(
    connect: Callable[[], Engine], tmp_path: Path
) -> None:
    root = parse_root(demo_root(net=NET))
    key_file = write_log_key(tmp_path)
    members = [Member.new(f"my-{n:016x}") for n in range(WRITERS)]
    for member in members:
        admit(new_log(connect()), member)

    def process(member: Member) -> Callable[[], None]:
        logbook = open_logbook(connect(), root=root, key_file=key_file, clock=lambda: NOW)

        def run() -> None:
            logbook.open()
            last, heading = member.statements[-1], member.heading
            for _ in range(EACH):
                heading = heading.following(last, iat=NOW)
                last = member.more_keys(heading)
                logbook.log.append(last)
                logbook.advance()

        return run

    assert together(*(process(member) for member in members)) == []
    engine = connect()
    with engine.connect() as connection:
        columns = SignedCheckpoint.size, SignedCheckpoint.root
        signed = connection.execute(select(*columns)).all()
    tree = new_log(engine).known().tree
    assert [tree.root(size) for size, _ in signed] == [found for _, found in signed]
    logbook = open_logbook(engine, root=root, key_file=key_file, clock=lambda: NOW)
    logbook.open()
    note = logbook.checkpoints.published()
    assert note is not None
    assert accept_checkpoint(note, root).checkpoint.size == (5 + EACH) * WRITERS
    marked = Mark.beside(key_file).read()
    assert marked is not None
    assert marked.size == (5 + EACH) * WRITERS


def test_one_of_many_processes_has_the_turn(connect: Callable[[], Engine], tmp_path: Path) -> None:
    root = parse_root(demo_root(net=NET))
    key_file = write_log_key(tmp_path)
    rounds = [
        open_logbook(connect(), root=root, key_file=key_file, clock=lambda: NOW).rounds
        for _ in range(WRITERS)
    ]
    won: list[bool] = []

    def taking(one: Rounds) -> Callable[[], None]:
        return lambda: won.append(one.take_turn(now=NOW))

    assert together(*(taking(one) for one in rounds)) == []
    assert sorted(won) == [False] * (WRITERS - 1) + [True]


def test_two_coordinators_who_list_at_once_are_both_shown(connect: Callable[[], Engine]) -> None:
    def listing(row: Mapping[str, str], by: Signer) -> Callable[[], None]:
        engine = connect()

        def run() -> None:
            store(engine, [row], by=by)

        return run

    with connect().connect() as connection:
        before = connection.execute(text("SELECT number FROM generation")).scalar_one()
    other = {**GOOD, "org_id": OTHER, "org_name": "Shapla DEMO"}
    one, two = COORDINATORS[:2]
    assert together(listing(GOOD, one), listing(other, two)) == []
    with connect().connect() as connection:
        number = connection.execute(text("SELECT number FROM generation")).scalar_one()
        # One of them may have shown both.
        assert number - before in (1, 2)
        assert connection.execute(text("SELECT count(*) FROM service")).scalar_one() == 2


def test_workers_at_once_build_one_good_index(
    connect: Callable[[], Engine], tmp_path: Path
) -> None:
    store(connect(), [{**GOOD, "service_key": f"key-{n}"} for n in range(50)])
    totals: list[int] = []

    def searching() -> Callable[[], None]:
        search = Search(connect(), tmp_path / "index.db")

        def run() -> None:
            totals.append(search.find(Query(text="harapan")).total)

        return run

    assert together(*(searching() for _ in range(WRITERS))) == []
    assert totals == [50] * WRITERS


def test_the_database_refuses_the_address_of_a_confidential_service(engine: Engine) -> None:
    store(engine, [{**GOOD, "confidential": "yes"}])
    with engine.connect() as connection:
        service = connection.execute(text("SELECT id FROM service")).scalar_one()
    place = {**ADDRESS, "latitude": None, "longitude": None, "service_id": service}
    for confidential in (False, True):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(insert(Place), {**place, "confidential": confidential})


def test_a_search_has_the_same_answer_on_both_databases(tmp_path: Path, postgres: str) -> None:
    rows = [GOOD, {**GOOD, **ADDRESS, "service_key": "office"}]
    rows += [{**GOOD, "org_id": OTHER, "org_name": "শাপলা DEMO", "country": "BD"}]
    addresses = [
        "/services?full=true",
        "/services?search=tempat+perlindungan",
        "/services?search=শাপলা",
        "/services?search=harapn&country=my",
        "/organizations",
    ]
    answers = []
    for name, url in (("one", None), ("two", database_url(postgres))):
        folder = tmp_path / name
        folder.mkdir()
        directory = served(folder, url=url)
        store(directory.engine, rows)
        answers.append([directory.client.get(address).data for address in addresses])
        directory.close()
    assert answers[0] == answers[1]
    assert all(b'"empty": false' in answer for answer in answers[0])
