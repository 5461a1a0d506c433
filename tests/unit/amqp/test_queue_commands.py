"""The two commands about RabbitMQ, where there is no RabbitMQ."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result

from broker.hub.cli import main
from broker.hub.queue_commands import QueueSettings
from broker.hub.settings import HubSettings
from broker.service.settings import settings_table


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUJUKAN_QUEUE_URL", "RUJUKAN_QUEUE_MANAGEMENT_URL"):
        monkeypatch.delenv(name, raising=False)
    # Not read before the queue's address was found wanting.
    monkeypatch.setenv("RUJUKAN_ROOT_FILE", __file__)


def run(*words: str, environ: dict[str, str] | None = None) -> Result:
    arguments: Sequence[str] = words
    return CliRunner().invoke(main, arguments, env=environ or {})


def test_declare_without_a_queue_says_what_is_missing() -> None:
    result = run("declare")
    assert result.exit_code == 1
    assert "RUJUKAN_QUEUE_URL" in result.output


@pytest.mark.parametrize(
    "url", ["amqp://hub:SECRET@queue.test/v", "amqps://hub:SECRET@queue.test/v?ssl_options=x"]
)
def test_an_address_without_verified_tls_is_refused_and_not_shown(url: str) -> None:
    result = run("declare", environ={"RUJUKAN_QUEUE_URL": url})
    assert result.exit_code == 1
    assert "SECRET" not in result.output


def test_both_classes_describe_a_variable_with_the_same_words() -> None:
    rows = settings_table(HubSettings, QueueSettings).splitlines()
    for name in ("RUJUKAN_QUEUE_URL", "RUJUKAN_QUEUE_MANAGEMENT_URL"):
        assert len([row for row in rows if row.startswith(f"| `{name}` |")]) == 1
