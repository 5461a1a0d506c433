"""Settings: what is refused, how it is said, and what is never shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.service.settings import (
    NotUsable,
    SettingsError,
    amqp_url,
    database_url,
    existing_file,
    folder,
    level,
    port,
    read_settings,
    setting,
    settings_table,
    web_url,
    whole_number,
)

CANARY = "hunter2-canary"


@dataclass(frozen=True, slots=True)
class ToySettings:
    """What a toy needs."""

    port: int = setting("RUJUKAN_TOY_PORT", "where it listens", parse=port, default=8001)
    directory: str = setting("RUJUKAN_TOY_DIRECTORY_URL", "where listings are", parse=web_url)
    queue: str = setting("RUJUKAN_TOY_QUEUE_URL", "the queue", parse=amqp_url, secret=True)
    key: Path | None = setting("RUJUKAN_TOY_KEY_FILE", "a key", parse=existing_file, default=None)


GOOD = {
    "RUJUKAN_TOY_DIRECTORY_URL": "https://directory.example/",
    "RUJUKAN_TOY_QUEUE_URL": f"amqps://hub:{CANARY}@queue.example/referral",
}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        read_settings(ToySettings, environ)
    return refused.value.problems


def test_good_settings_are_parsed() -> None:
    settings = read_settings(ToySettings, GOOD)
    assert settings.port == 8001
    assert settings.directory == "https://directory.example"
    assert settings.queue == GOOD["RUJUKAN_TOY_QUEUE_URL"]
    assert settings.key is None


def test_every_problem_is_reported_at_once() -> None:
    found = problems({"RUJUKAN_TOY_PORT": "0", "RUJUKAN_TOY_DIRECTORY_URL": "ftp://x"})
    assert [problem.split()[0] for problem in found] == [
        "RUJUKAN_TOY_PORT",
        "RUJUKAN_TOY_DIRECTORY_URL",
        "RUJUKAN_TOY_QUEUE_URL",
    ]


def test_an_empty_variable_is_an_unset_one() -> None:
    assert read_settings(ToySettings, GOOD | {"RUJUKAN_TOY_PORT": ""}).port == 8001


def test_a_secret_is_not_in_the_repr() -> None:
    assert CANARY not in repr(read_settings(ToySettings, GOOD))


@pytest.mark.parametrize("name", ["RUJUKAN_TOY_PORT", "RUJUKAN_TOY_DIRECTORY_URL"])
def test_a_secret_in_the_wrong_variable_is_not_shown(name: str) -> None:
    environ = GOOD | {name: f"amqps://u:{CANARY}@h/"}
    with pytest.raises(SettingsError) as refused:
        read_settings(ToySettings, environ)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_value_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqps://hub:fromfile@queue.example/referral\n")
    environ = {
        "RUJUKAN_TOY_DIRECTORY_URL": "https://d.example",
        "RUJUKAN_TOY_QUEUE_URL_FILE": str(file),
    }
    assert read_settings(ToySettings, environ).queue.startswith("amqps://hub:fromfile@")


def test_a_file_and_a_value_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqps://hub@queue.example/referral")
    (problem,) = problems(GOOD | {"RUJUKAN_TOY_QUEUE_URL_FILE": str(file)})
    assert "both set" in problem


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_an_unreadable_file_is_refused_without_its_path(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / CANARY
    if content is not None:
        file.write_bytes(content)
    environ = {
        "RUJUKAN_TOY_DIRECTORY_URL": "https://d.example",
        "RUJUKAN_TOY_QUEUE_URL_FILE": str(file),
    }
    (problem,) = problems(environ)
    assert problem.startswith("RUJUKAN_TOY_QUEUE_URL_FILE ")
    assert CANARY not in problem


def test_a_misspelt_name_is_not_ignored() -> None:
    (problem,) = problems(GOOD | {"RUJUKAN_TOY_PROT": "9"})
    assert problem == "RUJUKAN_TOY_PROT is not a setting; RUJUKAN_TOY_PORT is."


def test_another_process_s_setting_is_left_alone() -> None:
    settings = read_settings(ToySettings, GOOD | {"RUJUKAN_SOMETHING_ELSE": "1"})
    assert settings.port == 8001


def test_the_table_has_a_row_for_each_setting_and_no_value_of_a_secret() -> None:
    table = settings_table(ToySettings)
    assert table.splitlines()[2:] == [
        "| `RUJUKAN_TOY_DIRECTORY_URL` | toy | where listings are | must be set |",
        "| `RUJUKAN_TOY_KEY_FILE` | toy | a key | - |",
        "| `RUJUKAN_TOY_PORT` | toy | where it listens | `8001` |",
        "| `RUJUKAN_TOY_QUEUE_URL` | toy | the queue (secret: better from a file) | must be set |",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://directory.example",
        "https://directory.example:8443/path",
        "http://127.0.0.1:8000",
        "http://127.9.9.9",
        "http://[::1]:8000",
    ],
)
def test_an_address_with_tls_or_on_this_computer_is_accepted(url: str) -> None:
    assert web_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://directory.example",
        "http://localhost:8000",
        "http://127.0.0.1.example",
        "http://127.1",
        "http://0x7f000001",
        "http://2130706433",
        "http://0.0.0.0:8000",
        "http://[::ffff:127.0.0.1]",
        "http://10.0.0.1",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1\\@evil.example",
        "http://127.0.0.1%2f@evil.example",
        "https://user:secret@directory.example",
        "https://directory.example?x=1",
        "https://directory.example#x",
        "https://",
        "https://a b",
        "https://a\nb",
        "https://пример.example",
        "https://a:99999",
        "//directory.example",
        "directory.example",
        "ftp://directory.example",
        "https://" + "a" * 3000,
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    assert refusal(web_url, url)


def test_the_refusal_of_localhost_says_what_to_write_instead() -> None:
    assert "127.0.0.1" in refusal(web_url, "http://localhost:8000")


@pytest.mark.parametrize(
    "url",
    [
        "amqp://queue.example",
        "amqp://localhost",
        "amqps://queue.example/referral?ssl_options={'cert_reqs':0}",
        "http://127.0.0.1",
    ],
)
def test_a_queue_without_verified_tls_is_refused(url: str) -> None:
    assert refusal(amqp_url, url)


@pytest.mark.parametrize("url", ["amqp://u:p@127.0.0.1:5672/v", "amqps://u:p@queue.example/v"])
def test_a_queue_with_tls_or_on_this_computer_is_accepted(url: str) -> None:
    assert amqp_url(url) == url


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("sqlite:////var/lib/hub.db", "sqlite:////var/lib/hub.db"),
        ("postgresql://u@127.0.0.1:5432/d", "postgresql+psycopg://u@127.0.0.1:5432/d"),
        ("postgresql://u@/d?host=/run/pg", "postgresql+psycopg://u@/d?host=/run/pg"),
        (
            "postgresql+psycopg://u:p@db.example/d",
            "postgresql+psycopg://u:p@db.example/d?sslmode=verify-full&sslrootcert=system",
        ),
        (
            "postgresql://u@db.example/d?sslrootcert=/etc/ca.pem",
            "postgresql+psycopg://u@db.example/d?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        ),
    ],
)
def test_a_database_on_another_computer_is_verified(url: str, opened: str) -> None:
    assert database_url(url) == opened


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u@127.0.0.1/d",
        "sqlite:relative.db",
        "sqlite:///a?mode=memory",
        "postgresql://u@db.example/d?sslmode=require",
        "postgresql://u@db.example/d?sslmode=disable",
        "postgresql://u@localhost/d?sslmode=prefer",
        "postgresql://u@127.0.0.1/d?host=db.example",
        "postgresql://u@127.0.0.1,db.example/d",
        "postgresql://u@127.0.0.1/d?options=-c%20x",
        "postgresql:u@127.0.0.1/d",
    ],
)
def test_any_other_database_is_refused(url: str) -> None:
    assert refusal(database_url, url)


@given(st.text())
def test_no_parser_fails_otherwise_or_quotes_what_it_refuses(value: str) -> None:
    marked = f"{CANARY}{value}"
    for parse in (web_url, amqp_url, database_url, port, level, whole_number(0, 9), existing_file):
        if "\0" not in marked:
            assert CANARY not in refusal(parse, marked)


@given(st.integers())
def test_a_whole_number_is_accepted_exactly_within_its_bounds(number: int) -> None:
    parse = whole_number(1, 64)
    if 1 <= number <= 64:
        assert parse(str(number)) == number
    else:
        assert refusal(parse, str(number))


@pytest.mark.parametrize("value", ["1_0", "+1", " 1", "1.0", "১", "1e1", "9" * 5000])
def test_what_only_looks_like_a_number_is_refused(value: str) -> None:
    assert refusal(whole_number(0, 10**20), value)


def test_a_folder_may_be_missing_but_not_a_file(tmp_path: Path) -> None:
    assert folder(str(tmp_path / "new")) == tmp_path / "new"
    (tmp_path / "file").touch()
    assert refusal(folder, str(tmp_path / "file"))


def refusal(parse: Callable[[str], object], value: str) -> str:
    with pytest.raises(NotUsable) as refused:
        parse(value)
    return str(refused.value)
