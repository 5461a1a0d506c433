"""What is installed from the wheel, away from the checkout, has everything it needs inside."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.processes import run

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "countries", "directory", "broker")
COMMANDS = ("rujukan", "rujukan-hub", "rujukan-directory")


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that holds the wheel; the checkout is not on its path."""

    environment: Path
    empty: Path

    @property
    def packages(self) -> Path:
        (found,) = self.environment.glob("lib/python*/site-packages")
        return found

    def python(self, code: str) -> str:
        return self.command("python", "-I", "-W", "error", "-c", code)

    def command(self, name: str, *arguments: str) -> str:
        program = self.environment / "bin" / name
        done = subprocess.run(
            [program, *arguments], cwd=self.empty, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    _copy_source(source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    run([*pip, *build, str(source)], seconds=120)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    into = ["--python", str(environment / "bin" / "python")]
    install = ["install", "--no-index", "--no-deps", "--ignore-installed", str(wheel)]
    run([*pip, *into, *install], seconds=120)
    empty = folder / "empty"
    empty.mkdir()
    made = Installed(environment, empty)
    # The locked dependencies of this run. Its own .pth files, and so the checkout, stay out.
    (made.packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return made


def test_it_is_the_wheel_that_is_tested(installed: Installed) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor m in ({', '.join(PACKAGES)}): print(m.__file__)"
    for line in installed.python(code).splitlines():
        assert line.startswith(f"{installed.packages}/")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_starts(installed: Installed, command: str) -> None:
    assert "Usage:" in installed.command(command, "--help")


def test_every_file_of_the_checkout_is_inside(installed: Installed) -> None:
    inside = {str(path.relative_to(installed.packages)) for path in _files(installed.packages)}
    assert {str(path.relative_to(ROOT)) for path in _files(ROOT)} - inside == set()


def test_every_catalogue_is_compiled(installed: Installed) -> None:
    catalogues = [path for path in _files(installed.packages) if path.suffix == ".po"]
    assert catalogues
    for catalogue in catalogues:
        assert catalogue.with_suffix(".mo").stat().st_size > 100


def test_nothing_else_is_inside(installed: Installed) -> None:
    tops = {path.name.partition("-")[0] for path in installed.packages.iterdir()}
    assert tops == {*PACKAGES, "rujukan", "dependencies.pth"}


def test_the_migrations_run(installed: Installed) -> None:
    migrated = sorted(
        ".".join(folder.parent.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for folder in (ROOT / package).rglob("migrations/versions")
    )
    assert migrated
    code = (
        "from broker.service.database import migrate, open_engine\n"
        f"for package in {migrated}: migrate(open_engine(f'sqlite:///{{package}}.db'), package)"
    )
    installed.python(code)


def test_the_country_packs_load(installed: Installed) -> None:
    code = "from countries.packs import load_packs\nprint(*sorted(load_packs()))"
    assert installed.python(code).split() == ["bd", "cn", "id", "lk", "my", "pk", "th", "vn"]


def _copy_source(source: Path) -> None:
    """What the build reads; compiled catalogues and bytecode stay behind."""
    source.mkdir()
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.mo")
        shutil.copytree(ROOT / package, source / package, ignore=ignored)


def _files(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in (root / package).rglob("*"):
            made = "__pycache__" in path.parts or path.suffix == ".mo"
            # A dotfile is for git or an editor, and works only in a checkout.
            if path.is_file() and not made and not path.name.startswith("."):
                yield path
