"""The mirror against an honest directory, a broken one and a lying one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine, Update, delete, select, update

from broker.mirror import DirectoryUnreachable, HardStop, Mirror
from broker.mirror.freshness import FRESH_SECONDS
from broker.mirror.source import BATCH
from broker.mirror.tables import LEAF, PIN, STATE
from contracts.encoding import lp
from contracts.log import MAX_LEAF
from contracts.statements import Statement
from tests.unit.contracts.authors import BANGLADESH, MALAYSIA, NOW, Author, signing_key
from tests.unit.mirror.directories import (
    Answer,
    Chunks,
    Clock,
    Directory,
    mirror_of,
    octets,
    of_leaves,
    root_file,
)


@pytest.fixture
def mirror(directory: Directory, engine: Engine, clock: Clock) -> Mirror:
    """A mirror that has seen one organisation's admission."""
    directory.add(*Author().admission())
    mirror = mirror_of(directory, engine, clock)
    mirror.sync()
    return mirror


def _stored(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        return list(connection.execute(select(LEAF.c.data).order_by(LEAF.c.number)).scalars())


def _pinned(engine: Engine) -> dict[str, tuple[bytes, int]]:
    with engine.connect() as connection:
        return {row.org: (row.root, row.seq) for row in connection.execute(select(PIN))}


# An honest directory


def test_what_the_log_says_is_known_after_one_synchronisation(
    mirror: Mirror, directory: Directory, engine: Engine
) -> None:
    assert mirror.register.can_receive(MALAYSIA, NOW)
    assert _stored(engine) == directory.leaves
    assert _pinned(engine) == {MALAYSIA: (Author().root.public, 3)}


def test_only_what_is_new_is_fetched(mirror: Mirror, directory: Directory) -> None:
    directory.add(*Author(org=BANGLADESH).admission())
    directory.requests.clear()
    report = mirror.sync()
    assert (report.added, report.size, report.refused) == (5, 10, ())
    assert directory.spans == [(5, 10)]


def test_what_the_checkpoint_does_not_cover_yet_is_not_taken(
    mirror: Mirror, directory: Directory, engine: Engine
) -> None:
    directory.shown = directory.note()
    directory.add(*Author(org=BANGLADESH).admission())
    assert mirror.sync().size == 5
    directory.shown = directory.note(7)
    assert mirror.sync().size == 7
    assert mirror.register.organisation(BANGLADESH) is None
    assert _stored(engine) == directory.leaves[:7]


def test_a_directory_that_gives_little_at_a_time_is_asked_until_its_end(
    engine: Engine, clock: Clock
) -> None:
    directory = Directory(clock, at_most=2)
    directory.add(*Author().admission(), *Author(org=BANGLADESH).admission())
    assert mirror_of(directory, engine, clock).sync().size == 10


def test_an_empty_log_is_known_to_be_empty(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    mirror = mirror_of(directory, engine, clock)
    assert mirror.synced_at is None
    assert mirror.sync().size == 0
    assert mirror.fresh(NOW)
    directory.add(*Author().admission())
    assert mirror.sync().added == 5


def test_a_restart_verifies_what_was_kept_and_asks_nobody(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    directory.requests.clear()
    again = mirror_of(directory, engine, clock)
    assert again.register.organisations == mirror.register.organisations
    assert again.synced_at == NOW
    assert directory.requests == []


def test_a_snapshot_is_not_changed_by_what_comes_after_it(
    mirror: Mirror, directory: Directory
) -> None:
    before = mirror.register
    directory.add(*Author(org=BANGLADESH).admission())
    mirror.sync()
    assert before.organisation(BANGLADESH) is None
    assert mirror.register.organisation(BANGLADESH) is not None


def test_a_statement_that_breaks_a_rule_is_kept_reported_and_without_effect(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    published = Author(org=BANGLADESH).admission()[2]
    directory.add(published, Statement(b"{}", ()))
    report = mirror.sync()
    assert [(leaf.number, leaf.code) for leaf in report.refused] == [
        (5, "unknown_author"),
        (6, "missing_member"),
    ]
    assert _stored(engine) == directory.leaves
    assert mirror_of(directory, engine, clock).register.organisations == (
        mirror.register.organisations
    )


# A directory that cannot be reached, or something else in its place


def _unreachable(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    raise httpx.ConnectError("no route")


def _timing_out(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    raise httpx.ReadTimeout("too slow")


def _broken_off(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    def chunks() -> Iterator[bytes]:
        yield honest.read()[:100]
        raise httpx.RemoteProtocolError("peer closed connection")

    return httpx.Response(200, headers=honest.headers, stream=Chunks(chunks()))


def _cut_off(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    return httpx.Response(200, headers=honest.headers, stream=Chunks([honest.read()[:-1]]))


def _log_in_page(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    return httpx.Response(200, html="<p>Welcome to the hotel. Log in.")


def _redirect(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    return httpx.Response(302, headers={"Location": "https://elsewhere.example/log/leaves"})


def _packed(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    headers = {**honest.headers, "Content-Encoding": "gzip"}
    return httpx.Response(200, headers=headers, stream=Chunks([b"bomb"]))


def _failing(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    return httpx.Response(503)


def _more_than_asked(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    return octets(honest.read() + lp(b"x"))


def _none(_request: httpx.Request, _honest: httpx.Response) -> httpx.Response:
    return octets(b"")


def _others(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    return octets(honest.read()[:-1] + b"x")


BAD_DAYS: dict[str, tuple[Answer, str]] = {
    "no connection": (_unreachable, "unreachable"),
    "no answer in time": (_timing_out, "unreachable"),
    "an error of its own": (_failing, "unreachable"),
    "an answer broken off": (_broken_off, "unreachable"),
    "a hotel's log-in page": (_log_in_page, "not_a_directory"),
    "a redirect": (_redirect, "not_a_directory"),
    "a compressed answer": (_packed, "not_a_directory"),
    "a checkpoint cut off": (_cut_off, "bad_checkpoint"),
    "no connection for leaves": (of_leaves(_unreachable), "unreachable"),
    "leaves broken off": (of_leaves(_broken_off), "unreachable"),
    "a log-in page for leaves": (of_leaves(_log_in_page), "not_a_directory"),
    "leaves cut off": (of_leaves(_cut_off), "cut_off"),
    "more leaves than asked for": (of_leaves(_more_than_asked), "oversized"),
    "leaves withheld": (of_leaves(_none), "withheld"),
    "other leaves than it signed": (of_leaves(_others), "bad_checkpoint"),
}


@pytest.mark.parametrize(("answer", "code"), BAD_DAYS.values(), ids=BAD_DAYS)
def test_without_a_usable_answer_nothing_changes_and_the_next_try_succeeds(
    mirror: Mirror, directory: Directory, engine: Engine, answer: Answer, code: str
) -> None:
    before, known = _stored(engine), mirror.register.organisations
    directory.add(*Author(org=BANGLADESH).admission())
    directory.answer = answer
    with pytest.raises(DirectoryUnreachable, match="Nothing is lost") as caught:
        mirror.sync()
    assert caught.value.code == code
    assert (_stored(engine), mirror.register.organisations) == (before, known)
    directory.answer = None
    assert mirror.sync().size == 10


@pytest.mark.parametrize("path", ["/log/checkpoint", "/log/leaves"])
def test_an_endless_answer_is_left_before_it_fills_the_memory(
    mirror: Mirror, directory: Directory, path: str
) -> None:
    chunk = bytes(1024 * 1024)
    endless = Chunks(itertools.repeat(chunk))
    directory.add(*Author(org=BANGLADESH).admission())

    def answer(request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        if request.url.path != path:
            return honest
        return httpx.Response(200, headers=honest.headers, stream=endless)

    directory.answer = answer
    with pytest.raises(DirectoryUnreachable) as caught:
        mirror.sync()
    assert caught.value.code == "oversized"
    assert endless.taken <= BATCH * (8 + MAX_LEAF) // len(chunk) + 2


def test_a_download_that_breaks_off_goes_on_where_it_was_and_keeps_nothing_meanwhile(
    engine: Engine, clock: Clock
) -> None:
    directory = Directory(clock, at_most=3)
    directory.add(*Author().admission(), *Author(org=BANGLADESH).admission())
    mirror = mirror_of(directory, engine, clock)
    directory.answer = _cut_off_after_the_first
    with pytest.raises(DirectoryUnreachable):
        mirror.sync()
    assert (mirror.size, mirror.synced_at, _stored(engine)) == (0, None, [])
    directory.answer = None
    directory.add(Author(name="impostor").certify())
    directory.requests.clear()
    assert mirror.sync().size == 11
    assert directory.spans[0] == (3, 11)


def test_leaves_that_were_wrong_at_the_first_try_are_fetched_again(
    engine: Engine, clock: Clock
) -> None:
    directory = Directory(clock, at_most=3)
    directory.add(*Author().admission())
    mirror = mirror_of(directory, engine, clock)

    def answer(request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        if "from" not in request.url.params:
            return honest
        lie = honest.read().replace(b"ngo", b"igo").replace(b"vouch", b"touch")
        return octets(lie) if request.url.params["from"] == "0" else octets(b"")

    directory.answer = answer
    for code in ("withheld", "bad_checkpoint"):
        with pytest.raises(DirectoryUnreachable) as caught:
            mirror.sync()
        assert caught.value.code == code
        directory.answer = None
    assert mirror.sync().size == 5


def _cut_off_after_the_first(request: httpx.Request, honest: httpx.Response) -> httpx.Response:
    return honest if request.url.params.get("from", "0") == "0" else octets(honest.read()[:-1])


# A directory that contradicts what it said before


def _forked(directory: Directory) -> None:
    """Another past, in which the same organisation has other keys."""
    directory.begin_anew()
    directory.add(*Author(name="impostor").admission())


def _longer_fork(directory: Directory) -> None:
    _forked(directory)
    directory.add(*Author(org=BANGLADESH).admission())


def _shorter_fork(directory: Directory) -> None:
    _forked(directory)
    directory.leaves.pop()


def _other_last_leaf(directory: Directory) -> None:
    last = directory.leaves.pop()
    directory.leaves.append(last[:-1] + bytes([last[-1] ^ 1]))


def _falling_time(directory: Directory) -> None:
    directory.add(*Author(org=BANGLADESH).admission(), t=NOW - 1)


def _unreadable_leaf(directory: Directory) -> None:
    directory.leaves.append(b"x")


def _second_root(directory: Directory) -> None:
    directory.add(Author(name="impostor").enrol())


LIES: dict[str, tuple[Callable[[Directory], None], str]] = {
    "another past": (_forked, "forked"),
    "another past that is longer": (_longer_fork, "forked"),
    "another past that is shorter": (_shorter_fork, "forked"),
    "another last leaf": (_other_last_leaf, "forked"),
    "a time that falls": (_falling_time, "malformed_log"),
    "a leaf that is none": (_unreadable_leaf, "malformed_log"),
    "a second root for an organisation": (_second_root, "root_changed"),
}


@pytest.mark.parametrize(("lie", "code"), LIES.values(), ids=LIES)
def test_a_contradiction_stops_everything_and_outlives_a_restart(
    mirror: Mirror,
    directory: Directory,
    engine: Engine,
    clock: Clock,
    lie: Callable[[Directory], None],
    code: str,
) -> None:
    lie(directory)
    with pytest.raises(HardStop) as caught:
        mirror.sync()
    assert caught.value.code == code
    restarted = mirror_of(directory, engine, clock)
    asked = len(directory.requests)
    for stopped in (mirror, restarted):
        assert stopped.stopped is not None
        assert stopped.stopped.code == code
        with pytest.raises(HardStop):
            stopped.sync()
        with pytest.raises(HardStop):
            stopped.ensure_fresh(60)
        with pytest.raises(HardStop):
            _ = stopped.register
    assert len(directory.requests) == asked


@pytest.mark.parametrize(("lie", "code"), LIES.values(), ids=LIES)
def test_what_was_known_before_a_contradiction_is_kept(
    mirror: Mirror,
    directory: Directory,
    engine: Engine,
    lie: Callable[[Directory], None],
    code: str,
) -> None:
    known, stored = mirror.register.organisations, _stored(engine)
    lie(directory)
    with pytest.raises(HardStop):
        mirror.sync()
    mirror.resolve()
    assert mirror.register.organisations == known
    assert _stored(engine)[: len(stored)] == stored
    assert _pinned(engine) == {MALAYSIA: (Author().root.public, 3)}
    assert (mirror.fork is not None) == (code == "forked")
    if code == "root_changed":  # the leaf is in the log for good; it was looked into, once
        assert mirror.sync().size == 6
    else:
        with pytest.raises(HardStop):
            mirror.sync()


def test_a_second_root_names_the_organisation_and_says_whom_to_call(
    mirror: Mirror, directory: Directory
) -> None:
    _second_root(directory)
    with pytest.raises(HardStop) as caught:
        mirror.sync()
    assert caught.value.org == MALAYSIA
    assert MALAYSIA in str(caught.value)
    assert "its root key changed; call them on a number you already know" in str(caught.value)


def test_a_repaired_directory_is_followed_again_after_a_person_said_so(
    mirror: Mirror, directory: Directory
) -> None:
    whole = list(directory.leaves)
    _other_last_leaf(directory)
    with pytest.raises(HardStop):
        mirror.sync()
    directory.leaves = whole
    with pytest.raises(HardStop):
        mirror.sync()
    mirror.resolve()
    assert mirror.sync().size == 5
    assert mirror.fork is not None


def test_a_running_process_goes_on_once_a_person_has_resolved_the_stop_elsewhere(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    _second_root(directory)
    with pytest.raises(HardStop):
        mirror.sync()
    mirror_of(directory, engine, clock).resolve()
    mirror.ensure_fresh(60)
    assert mirror.register.can_receive(MALAYSIA, NOW)


@pytest.mark.parametrize("fault", [_falling_time, _unreadable_leaf])
def test_of_a_checkpoint_over_a_leaf_that_no_honest_log_holds_nothing_is_kept(
    mirror: Mirror, directory: Directory, engine: Engine, fault: Callable[[Directory], None]
) -> None:
    good = list(directory.leaves)
    directory.add(Author(name="late").certify())
    fault(directory)
    with pytest.raises(HardStop):
        mirror.sync()
    assert _stored(engine) == good


def test_nobody_but_the_log_can_raise_such_an_alarm(mirror: Mirror, directory: Directory) -> None:
    _unreadable_leaf(directory)
    directory.shown = directory.note(log=signing_key("somebody"))
    with pytest.raises(DirectoryUnreachable):
        mirror.sync()
    assert mirror.stopped is None


# Pins


@pytest.fixture
def emptied(mirror: Mirror, engine: Engine) -> None:
    """The leaves are lost; pins and the accepted checkpoint are not."""
    assert mirror.size == 5
    with engine.begin() as connection:
        connection.execute(delete(LEAF))


@pytest.mark.usefixtures("emptied")
def test_a_log_read_anew_must_lead_to_the_checkpoint_that_was_accepted(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    _longer_fork(directory)
    again = mirror_of(directory, engine, clock)
    assert (again.size, again.synced_at) == (0, None)
    with pytest.raises(HardStop) as caught:
        again.sync()
    assert caught.value.code == "forked"
    assert again.fork is not None
    again.fork.check(root_file().log)
    assert _pinned(engine) == {MALAYSIA: (Author().root.public, 3)}


@pytest.mark.usefixtures("emptied")
def test_a_log_read_anew_must_lead_to_what_was_pinned(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    with engine.begin() as connection:
        connection.execute(update(STATE).values(note=None, size=None))
    _forked(directory)
    with pytest.raises(HardStop) as caught:
        mirror_of(directory, engine, clock).sync()
    assert (caught.value.code, caught.value.org) == ("pin_broken", MALAYSIA)
    assert _pinned(engine) == {MALAYSIA: (Author().root.public, 3)}


@pytest.mark.usefixtures("emptied")
def test_a_log_read_anew_that_has_forgotten_an_organisation_is_refused(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    with engine.begin() as connection:
        connection.execute(update(STATE).values(note=None, size=None))
    directory.leaves = directory.leaves[:4]
    with pytest.raises(HardStop) as caught:
        mirror_of(directory, engine, clock).sync()
    assert caught.value.code == "pin_broken"
    assert _pinned(engine)[MALAYSIA][1] == 3


@pytest.mark.usefixtures("emptied")
def test_a_copy_that_was_lost_is_not_replaced_by_an_older_log(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    directory.leaves = directory.leaves[:4]
    again = mirror_of(directory, engine, clock)
    assert again.sync().size == 0
    assert not again.fresh(NOW)


ROT = {
    "a leaf": update(LEAF).where(LEAF.c.number == 2).values(data=b"rot"),
    "the checkpoint": update(STATE).values(note=b"rot"),
}


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("rot", ROT.values(), ids=ROT)
def test_what_has_rotted_on_the_disk_is_fetched_again(
    directory: Directory, engine: Engine, clock: Clock, rot: Update
) -> None:
    with engine.begin() as connection:
        connection.execute(rot)
    again = mirror_of(directory, engine, clock)
    assert not again.fresh(NOW)
    assert again.sync().size == 5
    assert _stored(engine) == directory.leaves


@pytest.mark.usefixtures("emptied")
def test_an_honest_log_read_anew_is_taken(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    again = mirror_of(directory, engine, clock)
    assert not again.fresh(NOW)
    assert again.sync().size == 5
    assert again.fresh(NOW)
    assert mirror_of(directory, engine, clock).size == 5


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("column", ["root", "head"])
def test_a_pin_that_differs_from_the_kept_leaves_stops_the_mirror(
    directory: Directory, engine: Engine, clock: Clock, column: str
) -> None:
    other = {"root": signing_key("other").public, "head": "f" * 64}[column]
    with engine.begin() as connection:
        connection.execute(update(PIN).values({column: other}))
    again = mirror_of(directory, engine, clock)
    assert again.stopped is not None
    assert again.stopped.code == "pin_broken"


@pytest.mark.usefixtures("mirror")
def test_a_copy_of_one_network_is_not_taken_for_another(
    directory: Directory, engine: Engine, clock: Clock
) -> None:
    with pytest.raises(HardStop, match="another network"):
        mirror_of(directory, engine, clock, root=root_file("exercise.example"))


# Freshness


def test_a_copy_is_fresh_for_a_day(mirror: Mirror) -> None:
    assert mirror.fresh(NOW)
    assert mirror.fresh(NOW + FRESH_SECONDS)
    assert not mirror.fresh(NOW + FRESH_SECONDS + 1)


def test_a_clock_put_back_does_not_make_an_old_copy_fresh(mirror: Mirror) -> None:
    assert mirror.fresh(NOW - 300)
    assert not mirror.fresh(NOW - 301)


def test_a_directory_that_is_down_is_passed_over_for_a_day_and_not_asked_by_everybody(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    directory.answer = _unreachable
    clock.now += 60
    directory.requests.clear()
    for _ in range(5):
        mirror.ensure_fresh(30)
    assert len(directory.requests) == 1
    clock.now += 15
    mirror.ensure_fresh(30)
    assert len(directory.requests) == 2
    clock.now = NOW + FRESH_SECONDS + 1
    with pytest.raises(DirectoryUnreachable):
        mirror.ensure_fresh(30)


def test_what_is_young_enough_is_not_asked_for_again(
    mirror: Mirror, directory: Directory, clock: Clock
) -> None:
    directory.requests.clear()
    mirror.ensure_fresh(30)
    clock.now += 31
    mirror.ensure_fresh(30)
    mirror.ensure_fresh(30)
    assert len(directory.requests) == 1


# Several processes on one database


def test_what_another_process_fetched_is_taken_over_and_not_fetched_again(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    other = mirror_of(directory, engine, clock)
    directory.add(*Author(org=BANGLADESH).admission())
    clock.now += 60
    mirror.sync()
    directory.requests.clear()
    other.ensure_fresh(30)
    assert other.register.organisation(BANGLADESH) is not None
    assert directory.requests == []


@pytest.mark.parametrize("late", [True, False])
def test_two_processes_that_fetch_the_same_leaves_store_them_once(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock, late: bool
) -> None:
    other = mirror_of(directory, engine, clock)
    directory.add(*Author(org=BANGLADESH).admission())

    def answer(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        directory.answer = None
        other.sync()  # while the first still waits for its answer
        return honest

    directory.answer = of_leaves(answer) if late else answer
    assert mirror.sync().size == 10
    assert _stored(engine) == directory.leaves
    assert other.register.organisations == mirror.register.organisations


def test_two_processes_that_are_shown_two_logs_find_the_fork(
    mirror: Mirror, directory: Directory, engine: Engine, clock: Clock
) -> None:
    other_half = directory.copy()
    other = mirror_of(other_half, engine, clock)
    directory.add(Author(org=BANGLADESH).enrol())
    other_half.add(Author(org=BANGLADESH, name="impostor").enrol())

    def answer(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        directory.answer = None
        other.sync()
        return honest

    directory.answer = of_leaves(answer)
    with pytest.raises(HardStop) as caught:
        mirror.sync()
    assert caught.value.code == "forked"
    with pytest.raises(HardStop):
        other.sync()


def test_threads_share_one_mirror(mirror: Mirror, directory: Directory, engine: Engine) -> None:
    directory.add(*Author(org=BANGLADESH).admission())
    start = threading.Barrier(4)

    def work(number: int) -> bool:
        start.wait()
        (mirror.sync if number % 2 else lambda: mirror.ensure_fresh(0))()
        return mirror.register.can_receive(MALAYSIA, NOW)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    assert mirror.size == 10
    assert _stored(engine) == directory.leaves


@pytest.mark.usefixtures("mirror")
def test_an_answer_is_asked_for_plainly_and_without_credentials(directory: Directory) -> None:
    (first, *_) = directory.requests
    assert (first.method, first.url.path) == ("GET", "/log/checkpoint")
    assert first.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in first.headers


def test_a_look_at_a_slow_directory_keeps_only_one_thread_waiting(
    mirror: Mirror, directory: Directory
) -> None:
    asked, answer_now = threading.Event(), threading.Event()

    def slow(_request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        asked.set()
        assert answer_now.wait(10)
        return honest

    directory.answer = slow
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mirror.look)
        assert asked.wait(10)
        mirror.look()  # returns while the other still waits
        assert not waiting.done()
        answer_now.set()
        waiting.result(10)
