"""Fixtures every test may ask for: the real services, one of each for a test run.

`rabbitmq` is a fresh vhost on a private node, `postgres` the URL of a fresh database in a private
cluster, `browser` a Chromium. The node and the cluster start when the first test asks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

from tests.services.folders import remove_abandoned
from tests.services.missing import Missing, skip_or_fail
from tests.services.processes import DeadlineError, adopt_orphans, descendants, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.services.postgres import Cluster
    from tests.services.rabbitmq import Node, Vhost

T = TypeVar("T")

# No deadline for one example: a busy machine is not a bug. Bounds are on the number of examples.
settings.register_profile("rujukan", deadline=None, print_blob=True)
settings.load_profile("rujukan")

# Python's own, which ends with us.
_EXPECTED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fails the run if a process started by a test outlives all tests; and ends it."""
    adopt_orphans()
    remove_abandoned()
    yield
    try:
        wait_until(lambda: not _left(), "all processes started by tests to end", seconds=5)
    except DeadlineError:
        left = _left()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        pytest.fail("processes left behind: " + "; ".join(left.values()), pytrace=False)


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[Node]:
    """The private RabbitMQ node of this run. A test that stops it must start it again."""
    from tests.services.rabbitmq import run_node

    with ExitStack() as stack:
        yield _entered(stack, run_node())


@pytest.fixture
def rabbitmq(rabbitmq_node: Node) -> Iterator[Vhost]:
    """A fresh vhost on the private RabbitMQ node."""
    with rabbitmq_node.vhost() as vhost:
        yield vhost


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """The private PostgreSQL cluster of this run."""
    from tests.services.postgres import run_cluster

    with ExitStack() as stack:
        yield _entered(stack, run_cluster())


@pytest.fixture
def postgres(postgres_cluster: Cluster) -> Iterator[str]:
    """The URL of a fresh database in the private PostgreSQL cluster."""
    with postgres_cluster.database() as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    from tests.services.chromium import run_browser

    with ExitStack() as stack:
        yield _entered(stack, run_browser())


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh browser context: no cookie, no storage."""
    with browser.new_context() as context:
        yield context.new_page()


def _entered(stack: ExitStack, service: AbstractContextManager[T]) -> T:
    try:
        return stack.enter_context(service)
    except Missing as missing:
        skip_or_fail(missing)


def _left() -> dict[int, str]:
    below = descendants(os.getpid())
    return {pid: line for pid, line in below.items() if not any(one in line for one in _EXPECTED)}
