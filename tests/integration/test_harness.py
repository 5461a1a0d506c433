"""The tests' own services: they start, they are private, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pika
import psycopg
import pytest
from playwright.sync_api import Page

from tests.services import processes
from tests.services.folders import remove_abandoned
from tests.services.missing import Missing, skip_or_fail
from tests.services.rabbitmq import Node, Vhost

_NODE_AND_CLUSTER = """
import os, signal
from tests.services.postgres import run_cluster
from tests.services.rabbitmq import run_node
with run_node(), run_cluster():
    print("up", flush=True)
    signal.pause()
"""


def test_a_message_travels_through_the_private_node(rabbitmq: Vhost) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("q", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "q", b"body")
        _, _, body = channel.basic_get("q", auto_ack=True)
    assert body == b"body"


def test_a_vhost_is_fresh(rabbitmq: Vhost) -> None:
    assert rabbitmq.api("GET", "/queues/{vhost}") == []


def test_a_killed_node_comes_back_with_its_data(rabbitmq_node: Node, rabbitmq: Vhost) -> None:
    rabbitmq.api("PUT", "/queues/{vhost}/kept", {"durable": True})
    rabbitmq_node.kill()
    assert rabbitmq_node.server.ended == -signal.SIGKILL
    rabbitmq_node.start()
    assert [queue["name"] for queue in rabbitmq.api("GET", "/queues/{vhost}")] == ["kept"]


def test_every_database_is_fresh(postgres: str) -> None:
    with psycopg.connect(postgres) as session:
        tables = session.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall()
        session.execute("CREATE TABLE t (i int)")
    assert tables == []


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_database_does_not_see_another_test_s_tables(postgres: str, time: str) -> None:
    with psycopg.connect(postgres) as session:
        session.execute(f"CREATE TABLE mine (is_{time} int)")


def test_the_browser_renders_a_page(page: Page) -> None:
    page.set_content("<h1>Rujukan</h1>")
    assert page.inner_text("h1") == "Rujukan"


def test_a_killed_test_run_leaves_no_service(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _NODE_AND_CLUSTER]
    with processes.start("run", command, log=tmp_path / "log") as run:
        processes.wait_until(lambda: "up" in run.said(), "both", child=run, seconds=120)
        below = processes.descendants(run.pid)
        assert {"epmd", "beam.smp", "postgres"} <= {Path(c.split()[0]).name for c in below.values()}
        run.kill()
        processes.wait_until(
            lambda: not any(processes.is_alive(pid) for pid in below), "the services to end with it"
        )
    remove_abandoned()


def test_a_missing_service_is_skipped_by_hand_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="x is not installed"):
        skip_or_fail(Missing("x is not installed"))
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="x is not installed"):
        skip_or_fail(Missing("x is not installed"))


def test_an_orphan_is_found(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    subprocess.run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}"], check=True)
    orphan = int(pid_file.read_text())
    assert "sleep 60" in processes.descendants(os.getpid())[orphan]
    os.kill(orphan, signal.SIGKILL)
    os.waitpid(orphan, 0)
