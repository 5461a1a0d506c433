"""The documents promise what the code does: settings, import columns, commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from broker.desk.cli import main as desk
from broker.desk.settings import DeskSettings
from broker.hub.cli import main as hub
from broker.hub.settings import HubSettings
from broker.service.settings import settings_table
from contracts import safety
from directory.cli import main as directory
from directory.columns import columns_table
from directory.settings import DirectorySettings

ROOT = Path(__file__).parents[3]
COMMANDS = {"rujukan": desk, "rujukan-hub": hub, "rujukan-directory": directory}
README = (ROOT / "README.md").read_text(encoding="utf-8")
# A command as the documents write it: in backticks, or on a line of its own after a prompt.
MENTIONED = re.compile(
    r"\b(rujukan(?:-hub|-directory)?) ([a-z][a-z-]+)((?: --[a-z-]+(?:[= ]\S+)?)*)"
)


def test_every_setting_is_in_the_table() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_table(DirectorySettings, HubSettings, DeskSettings) in text


def test_every_import_column_is_in_the_table() -> None:
    assert columns_table() in (ROOT / "docs" / "import.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "document", ["README.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_a_document_names_only_commands_and_options_that_exist(document: str) -> None:
    path = ROOT / document if document == "README.md" else ROOT / "docs" / document
    for program, name, options in MENTIONED.findall(path.read_text(encoding="utf-8")):
        command = COMMANDS[program].commands.get(name)
        assert command is not None, f"{document}: {program} {name}"
        known = {opt for param in command.params for opt in param.opts}
        for option in re.findall(r"--[a-z-]+", options):
            assert option in known | {"--help"}, f"{document}: {program} {name} {option}"


@pytest.mark.parametrize("program", COMMANDS)
def test_the_readme_names_every_command(program: str) -> None:
    for name in COMMANDS[program].commands:
        assert f"`{program} {name}" in README or f"{program} {name}" in README, name


def test_the_readme_names_only_files_that_are_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_explains_itself() -> None:
    for program in COMMANDS.values():
        for command in program.commands.values():
            assert isinstance(command, click.Command)
            assert command.help, command.name


def test_the_safety_page_names_a_rule_or_a_test_that_is_not_there() -> None:
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/.]+)`", page):
        if "/" in name:
            assert (ROOT / name).exists(), name
        elif "_" in name and name not in {"taken_up", "purge_after"}:
            assert hasattr(safety, name), name
