"""Commands: a sentence and an exit code, never a traceback, never a foreign text."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner, Result

from broker.service.commands import Commands, emit, fail, json_option
from broker.service.settings import SettingsError
from contracts.errors import Refused

CANARY = "CANARY-7f3a"


@click.group(cls=Commands)
def main() -> None:
    """A toy."""


@main.command()
@json_option
def status(*, as_json: bool) -> None:
    emit(as_json, {"name": "සිංහල"}, "All is well.")


@main.command()
@click.argument("how")
@json_option
def end(*, how: str, as_json: bool) -> None:
    del as_json
    if how == "sentence":
        fail("The hub cannot be reached. The referral is kept and will be sent later.")
    if how == "contract":
        raise Refused("no_route", "to")
    if how == "settings":
        raise SettingsError(("RUJUKAN_X is not set.",))
    if how == "unexpected":
        raise ValueError(CANARY)
    raise BrokenPipeError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_outcome_is_for_people_or_for_programs() -> None:
    assert run("status").output == "All is well.\n"
    assert json.loads(run("status", "--json").output) == {"name": "සිංහල"}
    assert run("status", "--json").exit_code == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("sentence", "The referral is kept"),
        ("contract", "a rule forbids it (no route, in to)"),
        ("settings", "RUJUKAN_X is not set."),
        ("unexpected", "Something failed in the program itself (ValueError, line"),
        ("pipe", ""),
    ],
)
def test_a_failure_is_a_sentence_and_exit_code_1(how: str, said: str) -> None:
    ended = run("end", how)
    assert ended.exit_code == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.output
    assert CANARY not in ended.output
    assert ended.stdout == ""


def test_a_program_gets_the_failure_as_json() -> None:
    ended = run("end", "sentence", "--json")
    assert ended.exit_code == 1
    assert "kept" in json.loads(ended.stdout)["error"]


@pytest.mark.parametrize("arguments", [["nonsense"], ["status", "--nonsense"], ["end"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
