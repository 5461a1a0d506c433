"""A browser window without a browser: what a person can do at a desk, over a simulated network.

window = Window.opened(world, desk)
page = window.post("/find", country="bd")
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from broker.desk.errors import DeskError
from broker.desk.unlocking import Desk
from broker.desk.web.app import create_app
from broker.desk.web.guard import Keeper
from broker.desk.web.vault import Vault
from tests.unit.desk.simulated import World

PORT: Final = 8100
PASSPHRASE: Final = "fig lantern meadow quartz"
_TOKEN: Final = re.compile(r'name="csrf" value="([^"]+)"')
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Compiled(BytecodeCache):
    """The pages' templates, compiled once for all windows: that takes longer than most tests."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED: Final = Compiled()


@dataclass
class Window:
    """One browser window and the desk behind it."""

    app: Flask
    client: FlaskClient
    vault: Vault
    keeper: Keeper
    seconds: Seconds

    @classmethod
    def closed(cls, world: World, desk: Desk, *, port: int = PORT) -> Window:
        """A served desk whose link nobody has used; unlocked."""
        seconds = Seconds()

        def open_desk(passphrase: bytes) -> Desk:
            if passphrase != PASSPHRASE.encode():
                raise DeskError("wrong_passphrase", path="desk.key")
            return world.again(desk)

        vault = Vault(open_desk, clock=seconds, round_seconds=3600)
        keeper = Keeper(port)
        app = create_app(vault, keeper, world.root, clock=world.clock)
        app.jinja_env.bytecode_cache = COMPILED
        vault.unlock(PASSPHRASE.encode())
        vault.hurry(patience=30)
        return cls(app, app.test_client(), vault, keeper, seconds)

    @classmethod
    def opened(cls, world: World, desk: Desk, *, port: int = PORT) -> Window:
        """The same after its link was opened in this window."""
        window = cls.closed(world, desk, port=port)
        assert window.get(window.keeper.link.removeprefix(window.keeper.origin)).status_code == 303
        return window

    def other(self) -> Window:
        """Another browser, without this one's cookies."""
        return Window(self.app, self.app.test_client(), self.vault, self.keeper, self.seconds)

    def get(self, path: str, **headers: str) -> TestResponse:
        """Ask for a page."""
        return self.client.get(path, base_url=self.keeper.origin, headers=headers, buffered=True)

    def post(
        self, path: str, form: Mapping[str, str] | Iterable[tuple[str, str]] = (), **fields: str
    ) -> TestResponse:
        """Send a form as a page of this desk does."""
        pairs = form.items() if isinstance(form, Mapping) else form
        data = [("csrf", self.csrf()), *pairs, *fields.items()]
        return self.raw_post(path, data, Origin=self.keeper.origin)

    def raw_post(self, path: str, form: Iterable[tuple[str, str]], **headers: str) -> TestResponse:
        """Send a form as anybody may."""
        given: dict[str, list[str]] = {}
        for name, value in form:
            given.setdefault(name, []).append(value)
        sent: Mapping[str, Any] = given
        return self.client.post(
            path,
            base_url=self.keeper.origin,
            data=sent,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def csrf(self) -> str:
        """The token on this window's pages, locked or not."""
        found = _TOKEN.search(self.get("/").text)
        assert found is not None
        return found[1]

    def close(self) -> None:
        self.vault.lock()


def hidden(page: TestResponse) -> list[tuple[str, str]]:
    """The unseen fields of the last form of a page, but for its token."""
    last = page.text.partition("<main")[2].partition("</main>")[0].rpartition("<form")[2]
    return [
        (unescape(name), unescape(value)) for name, value in _HIDDEN.findall(last) if name != "csrf"
    ]


def without(form: Iterable[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    """The form with these fields left blank."""
    return [(name, value) for name, value in form if name not in names]
