"""A partner takes contracts/ alone: it must need nothing of the rest, nor what the rest needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[3]
SECONDS: Final = 120
# What contracts/ may import beside the standard library; cffi is PyNaCl's.
ALLOWED: Final = ("contracts", "nacl", "_cffi_backend", "cffi", "jsonschema_rs")

PROGRAM: Final = """
import json, pkgutil, sys
from importlib.abc import MetaPathFinder

allowed = set(json.loads(sys.argv[1]))

class OnlyThese(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in allowed or top in sys.stdlib_module_names or top.startswith("_sysconfigdata"):
            return None
        raise ModuleNotFoundError(f"not for contracts: {name}", name=name)

sys.meta_path.insert(0, OnlyThese())
for name in [name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names]:
    if name != "__main__" and name.partition(".")[0] not in allowed:
        del sys.modules[name]
sys.path[:0] = json.loads(sys.argv[2])

import contracts
found = [one.name for one in pkgutil.walk_packages(contracts.__path__, "contracts.")]
for name in found:
    if not name.endswith("__main__"):
        __import__(name)

from contracts.__main__ import main
code = main(["verify", "--json"])
tops = sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))
print(json.dumps({"code": code, "modules": found, "tops": tops}))
"""


def run(*, allowed: tuple[str, ...] = ALLOWED) -> tuple[int, Any, str]:
    """Every module and the kit, in a Python that refuses all other packages."""
    arguments = [json.dumps(allowed), json.dumps([str(ROOT)])]
    with tempfile.TemporaryDirectory() as elsewhere:  # nothing comes in from where it is started
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-W", "error", "-c", PROGRAM, *arguments],
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    told = json.loads(done.stdout.splitlines()[-1]) if done.stdout else None
    return done.returncode, told, done.stderr


@pytest.fixture(scope="module")
def alone() -> Any:
    """What came out."""
    code, told, errors = run()
    assert code == 0, errors
    return told


def test_contracts_needs_more_than_it_says(alone: Any) -> None:
    assert alone["code"] == 0
    packages = {name for name in alone["tops"] if not name.startswith(("_", "sitecustom"))}
    assert not packages & {"flask", "sqlalchemy", "pika", "click", "httpx", "countries", "broker"}


def test_a_module_of_contracts_that_was_not_tried(alone: Any) -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "contracts").rglob("*.py")
    }
    assert files - {"contracts"} <= set(alone["modules"])


def test_the_guard_lets_everything_through() -> None:
    code, _told, errors = run(allowed=tuple(name for name in ALLOWED if name != "nacl"))
    assert code != 0
    assert "not for contracts: nacl" in errors
