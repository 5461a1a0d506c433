"""The documents promise what the code does: settings, import columns, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
# A command as the documents write it: in backticks, or on a line of its own in a block.
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`]+)`", re.S)
WORD = re.compile(r"[a-z][a-z-]+")
COMMAND = re.compile(r"(?:^|[\s/])(rujukan(?:-hub|-directory)?)((?: [^\s…]+)+)", re.M)


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A command in a document: as written, by its full name, the options given, what it is."""

    written: str
    name: str
    options: frozenset[str]
    command: click.Command


def commands_in(document: str) -> Iterator[Mentioned]:
    """Every command that a document writes; a wrong subcommand is noticed at once."""
    text = (ROOT / document).read_text(encoding="utf-8").replace("\\\n", " ")
    for block, span in CODE.findall(text):
        for program, rest in COMMAND.findall(block or span):
            words, name = rest.split(), program
            command: click.Command = COMMANDS[program]
            while isinstance(command, click.Group) and words and WORD.fullmatch(words[0]):
                name = f"{name} {words[0]}"
                assert words[0] in command.commands, f"{document}: {name}"
                command = command.commands[words.pop(0)]
            options = frozenset(word for word in words if word.startswith("--"))
            yield Mentioned(program + rest, name, options, command)


def every_command(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A program's commands, groups' own included, by the words one types."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word, one in command.commands.items():
        yield from every_command(f"{name} {word}", one)


def test_every_setting_is_in_the_table() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_table(DirectorySettings, HubSettings, DeskSettings) in text


def test_every_import_column_is_in_the_table() -> None:
    assert columns_table() in (ROOT / "docs" / "import.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_commands_and_options_that_exist(document: str) -> None:
    for one in commands_in(document):
        known = {opt for param in one.command.params for opt in param.opts}
        assert one.options <= known | {"--help"}, f"{document}: {one.written}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_line_to_be_typed_leaves_out_what_must_be_given(document: str) -> None:
    """Only lines that give an option: a sentence may speak of a command by its name alone."""
    for one in commands_in(document):
        if one.options and "--help" not in one.options:
            needed = [set(param.opts) for param in one.command.params if param.required]
            options = [opts for opts in needed if any(opt.startswith("--") for opt in opts)]
            assert all(opts & one.options for opts in options), f"{document}: {one.written}"


@pytest.mark.parametrize("program", COMMANDS)
def test_a_command_that_no_document_tells(program: str) -> None:
    told = {one.name for document in DOCUMENTS for one in commands_in(document)}
    for name, _command in every_command(program, COMMANDS[program]):
        assert name in told, name


@pytest.mark.parametrize("program", COMMANDS)
def test_the_readme_names_every_command(program: str) -> None:
    for name in COMMANDS[program].commands:
        assert f"`{program} {name}" in README or f"{program} {name}" in README, name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_links_only_to_files_that_are_there(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_command_explains_itself() -> None:
    for program, group in COMMANDS.items():
        for name, command in every_command(program, group):
            assert command.help, name


def test_the_safety_page_names_a_rule_or_a_test_that_is_not_there() -> None:
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/.]+)`", page):
        if "/" in name:
            assert (ROOT / name).exists(), name
        elif "_" in name and name not in {"taken_up", "purge_after"}:
            assert hasattr(safety, name), name
