"""The directory on SQLite and on PostgreSQL: the same answers, and two writers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import IntegrityError

from broker.service.addresses import database_url
from broker.service.database import migrate, open_engine
from contracts.errors import Refused
from contracts.log import decode_leaf
from contracts.register import Register
from contracts.statements import Statement
from directory.models import Place
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
    served,
    store,
)

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


def new_log(engine: Engine) -> StatementLog:
    return StatementLog(engine, net=NET, clock=lambda: NOW)


def appending(log: StatementLog, *statements: Statement) -> Callable[[], None]:
    def append() -> None:
        log.append_all(statements)

    return append


def test_writers_at_once_leave_no_gap_and_lose_no_statement(
    connect: Callable[[], Engine],
) -> None:
    members = [Member.new(f"my-{n:016x}") for n in range(WRITERS * EACH)]

    def writer(number: int) -> Callable[[], None]:
        log = new_log(connect())

        def write() -> None:
            for member in members[number::WRITERS]:
                log.append_all(member.statements)

        return write

    assert together(*(writer(number) for number in range(WRITERS))) == []
    leaves = new_log(connect()).leaves(0, 1000)
    assert len(leaves) == 3 * len(members)
    register = Register(NET)
    for leaf in leaves:
        register.apply(decode_leaf(leaf))
    assert len(register.organisations) == len(members)


def test_of_two_statements_for_one_place_in_a_chain_one_is_refused(
    connect: Callable[[], Engine],
) -> None:
    member = Member.new()
    logs = [new_log(connect()), new_log(connect())]
    logs[0].append_all(member.statements)
    heading = member.heading.following(member.statements[2], iat=NOW)
    rivals = [member.more_keys(heading), member.more_keys(heading)]
    assert rivals[0].hash != rivals[1].hash
    raised = together(*(appending(log, one) for log, one in zip(logs, rivals, strict=True)))
    assert [type(error) for error in raised] == [Refused]
    assert len(logs[0].leaves(0, 10)) == 4


def test_the_same_statement_twice_at_once_stands_in_the_log_once(
    connect: Callable[[], Engine],
) -> None:
    member = Member.new()
    logs = [new_log(connect()), new_log(connect())]
    assert together(*(appending(log, *member.statements) for log in logs)) == []
    assert len(logs[0].leaves(0, 10)) == 3


def test_two_imports_at_once_both_count(connect: Callable[[], Engine]) -> None:
    def importing(row: Mapping[str, str]) -> Callable[[], None]:
        engine = connect()

        def run() -> None:
            store(engine, [row])

        return run

    other = {**GOOD, "org_id": OTHER, "org_name": "Shapla DEMO"}
    assert together(importing(GOOD), importing(other)) == []
    with connect().connect() as connection:
        assert connection.execute(text("SELECT number FROM generation")).scalar_one() == 2
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
