"""Attacks on a desk from the same computer's browser, and what a locked desk gives away."""

from __future__ import annotations

import gc
from itertools import product
from pathlib import Path

import pytest

from broker.desk.keyring import KeyRing, KeyRingFile
from broker.desk.sending import send_referral
from broker.desk.unlocking import Desk
from broker.desk.web.guard import Keeper
from broker.desk.web.vault import IDLE_SECONDS, Locked, Vault
from tests.services.processes import wait_until
from tests.unit.desk.simulated import CANARY, FAST, World, cases
from tests.unit.desk_web.windows import PASSPHRASE, PORT, Seconds, Window

SCREENS = ("/", "/find", "/status", "/cases/0", "/cases/0/notes/0")
FORMS = ("/find", "/refer", "/look", "/cases/0/answer", "/lock", "/unlock", "/language", "/here")


HOSTS = (
    "desk.attacker.example", f"desk.attacker.example:{PORT}", f"localhost:{PORT}", "127.0.0.1",
    f"127.0.0.1:{PORT + 1}", f"127.0.0.1:{PORT}.attacker.example", "",
)  # fmt: skip
FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": f"http://localhost:{PORT}"},
    {"Origin": f"http://127.0.0.1:{PORT + 1}"},
    {"Origin": f"https://127.0.0.1:{PORT}"},
    {},
    {"Origin": f"http://127.0.0.1:{PORT}", "Sec_Fetch_Site": "cross-site"},
    {"Origin": f"http://127.0.0.1:{PORT}", "Sec_Fetch_Site": "same-site"},
    {"Origin": f"http://127.0.0.1:{PORT}", "Sec_Fetch_Site": "none"},
)


def test_a_name_pointed_at_this_computer_is_answered_nothing(window: Window) -> None:
    for host, path in product(HOSTS, (*SCREENS, "/static/desk.css", "/start/x")):
        answer = window.get(path, Host=host)
        assert answer.status_code == 421, (host, path)
        assert "Inbox" not in answer.text
    assert window.get("/").status_code == 200


def test_a_form_from_a_foreign_origin_does_nothing(window: Window) -> None:
    token = ("csrf", window.csrf())
    for headers, path in product(FOREIGN, FORMS):
        answer = window.raw_post(path, [token], **headers)
        assert answer.status_code == 403, (headers, path)
    assert not window.vault.locked


def test_a_form_without_the_windows_token_does_nothing(window: Window) -> None:
    token = window.csrf()
    for wrong in ([], [("csrf", "")], [("csrf", token[:-1])], [("csrf", f"{token}x")]):
        for path in FORMS:
            answer = window.raw_post(path, wrong, Origin=window.keeper.origin)
            assert answer.status_code == 403, path
    assert not window.vault.locked


def test_the_link_begins_one_session_and_then_nothing(world: World, ours: Desk) -> None:
    first = Window.closed(world, ours)
    link = first.keeper.link.removeprefix(first.keeper.origin)
    opened = first.get(link)
    assert (opened.status_code, opened.headers["Location"]) == (303, "/")
    second = first.other()
    refused = second.get(link)
    assert refused.status_code == 403
    assert "Set-Cookie" not in refused.headers
    assert second.get("/").status_code == 403
    assert first.get(link).status_code == 303  # a reload in the same window
    first.close()


def test_a_guessed_link_begins_nothing_and_uses_nothing_up(world: World, ours: Desk) -> None:
    window = Window.closed(world, ours)
    link = window.keeper.link.removeprefix(window.keeper.origin)
    for guess in ("x", "None", link[7:-1], f"{link[7:]}x", "é"):
        assert window.get(f"/start/{guess}").status_code == 403
    assert window.client.head(link, base_url=window.keeper.origin).status_code == 405
    assert window.get(link).status_code == 303
    window.close()


def test_the_link_and_the_session_are_long_random_numbers() -> None:
    links = {Keeper(PORT).link for _ in range(20)}
    assert len(links) == 20
    assert all(len(link.rpartition("/")[2]) >= 43 for link in links)  # 32 bytes


def test_another_desks_cookie_is_worth_nothing(world: World, ours: Desk, theirs: Desk) -> None:
    one = Window.opened(world, ours, port=8101)
    other = Window.opened(world, theirs, port=8102)
    theirs_cookie = other.client.get_cookie("rujukan-desk-8102", "127.0.0.1")
    assert theirs_cookie is not None
    stranger = one.other()
    for name in ("rujukan-desk-8101", "rujukan-desk-8102"):
        stranger.client.set_cookie(name, theirs_cookie.value, domain="127.0.0.1")
        assert stranger.get("/").status_code == 403
    one.close()
    other.close()


def test_the_cookie_is_a_random_number_that_no_script_and_no_other_site_gets(
    world: World, ours: Desk
) -> None:
    window = Window.closed(world, ours)
    link = window.keeper.link.removeprefix(window.keeper.origin)
    cookie = window.get(link).headers["Set-Cookie"]
    name, _, rest = cookie.partition("=")
    value, *attributes = rest.split("; ")
    assert name == f"rujukan-desk-{PORT}"
    assert len(value) >= 43
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
    window.close()


def test_no_address_answers_without_a_session(world: World, ours: Desk) -> None:
    window = Window.closed(world, ours)
    for rule in window.app.url_map.iter_rules():
        path = rule.rule.replace("<row>", "0").replace("<entry_row>", "0")
        if rule.endpoint in ("static", "opening.start"):
            continue
        for method in (rule.methods or set()) - {"HEAD"}:
            answer = window.client.open(
                path, method=method, base_url=window.keeper.origin,
                headers={"Origin": window.keeper.origin},
            )  # fmt: skip
            assert answer.status_code == 403, (method, path)
            assert ours.org not in answer.text
    window.close()


def test_every_answer_stays_out_of_caches_frames_and_other_sites(window: Window) -> None:
    window_other = window.other()
    for answer in (
        window.get("/"), window.get("/none"), window.get("/static/desk.css"),
        window_other.get("/"), window.get("/", Host="x"),
    ):  # fmt: skip
        headers = answer.headers
        csp = headers["Content-Security-Policy"]
        assert "default-src 'none'" in csp
        assert "frame-ancestors 'none'" in csp
        assert "unsafe" not in csp
        assert headers["X-Frame-Options"] == "DENY"
        # Never to another origin; `no-referrer` would hide our own Origin from the guard too.
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
    for path in SCREENS:
        assert window.get(path).headers["Cache-Control"] == "no-store"


def test_no_page_has_inline_script_or_style(window: Window) -> None:
    for page in (window.get("/").text, window.get("/find").text, window.get("/status").text):
        assert "<style" not in page
        assert " style=" not in page
        assert " on" not in {part[:3] for part in page.split("<script")[1:]}
        assert all(" src=" in part.partition(">")[0] for part in page.split("<script")[1:])


def test_a_locked_desk_shows_nothing(world: World, ours: Desk, theirs: Desk) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    window = Window.opened(world, ours)
    [case] = cases(ours)
    inside = [*SCREENS, f"/cases/{case.row}"]
    assert case.spoken in window.get("/").text
    window.post("/lock")
    for path in inside:
        answer = window.get(path)
        assert answer.status_code == 423, path
        shown = answer.text
        for secret in (case.spoken, case.peer, ours.org, CANARY, case.row):
            assert secret not in shown.replace(f'action="{path}"', "")
    assert window.post("/find", country="bd").status_code == 423


def _desks_in_memory() -> list[Desk]:
    """Also those that other tests of this process have left behind."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Desk)]


def test_ten_idle_minutes_drop_the_keys(world: World, tmp_path: Path) -> None:
    home = _key_file_of_a_new_desk(world, tmp_path)
    seconds, opened = Seconds(), []

    def open_desk(passphrase: bytes) -> Desk:
        desk = world.opened(home, KeyRingFile.unlock(home, passphrase))
        opened.append(_Closing(desk))
        return desk

    before, others = _keys_in_memory(), _desks_in_memory()
    vault = Vault(open_desk, clock=seconds, round_seconds=3600)
    vault.unlock(PASSPHRASE.encode())
    assert _keys_in_memory() > before
    seconds.now += IDLE_SECONDS - 1
    assert not vault.locked
    seconds.now += 1
    vault.lock_if_idle()
    with pytest.raises(Locked), vault.use():
        raise AssertionError("a locked desk was used")
    wait_until(lambda: [one.closed for one in opened] == [True, True], "both desks to be closed")
    wait_until(lambda: _keys_in_memory() <= before, "the keys to leave memory")
    assert all(any(one is other for other in others) for one in _desks_in_memory())


def test_a_page_being_made_ends_before_its_desk_is_closed(world: World, ours: Desk) -> None:
    window = Window.closed(world, ours)
    with window.vault.use() as desk:
        window.vault.lock()
        with desk.store.reading() as rows:
            assert rows.cases() == ()
    assert window.vault.locked


def test_using_the_desk_keeps_it_open_and_a_style_sheet_does_not(window: Window) -> None:
    for _ in range(3):
        window.seconds.now += IDLE_SECONDS - 1
        assert window.get("/").status_code == 200
    window.seconds.now += IDLE_SECONDS - 1
    assert window.post("/here").status_code == 204
    window.seconds.now += IDLE_SECONDS - 1
    window.get("/static/desk.css")
    window.other().get("/")
    window.seconds.now += 1
    assert window.get("/").status_code == 423


def test_only_the_same_window_can_unlock(window: Window) -> None:
    window.post("/lock")
    stranger = window.other()
    answer = stranger.raw_post("/unlock", [("passphrase", PASSPHRASE)], Origin=window.keeper.origin)
    assert answer.status_code == 403
    assert window.vault.locked
    assert 'type="password"' not in stranger.get("/").text
    assert window.post("/unlock", passphrase=PASSPHRASE).status_code == 303
    assert window.get("/").status_code == 200
    assert stranger.get("/").status_code == 403


def test_wrong_passphrases_are_sentences_and_make_the_next_try_wait(window: Window) -> None:
    window.post("/lock")
    for _ in range(3):
        answer = window.post("/unlock", passphrase="not the passphrase")
        assert answer.status_code == 423
        assert "does not open the desk" in answer.text
        assert "not the passphrase" not in answer.text
    early = window.post("/unlock", passphrase=PASSPHRASE)
    assert early.status_code == 429
    assert window.vault.locked
    window.seconds.now += 2
    assert window.post("/unlock", passphrase=PASSPHRASE).status_code == 303


def test_a_form_that_finds_the_desk_locked_goes_on_after_unlocking(window: Window) -> None:
    token = window.csrf()
    window.vault.lock()
    form = [("csrf", token), ("text", "shelter & <b>"), ("page", "1")]
    locked = window.raw_post("/find", form, Origin=window.keeper.origin)
    assert locked.status_code == 423
    assert 'action="/find"' in locked.text
    assert 'value="shelter &amp; &lt;b&gt;"' in locked.text
    on = window.raw_post("/find", [*form, ("passphrase", PASSPHRASE)], Origin=window.keeper.origin)
    assert on.status_code == 200
    assert 'value="shelter &amp; &lt;b&gt;"' in on.text
    assert PASSPHRASE not in on.text


def test_a_fault_says_nothing_of_its_cause(
    window: Window, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("broker.desk.web.views_status.look", fail)
    answer = window.get("/status")
    assert answer.status_code == 500
    assert CANARY not in answer.text + "".join(capsys.readouterr())


class _Closing:
    """Takes the place of a desk's way to the hub, to see that the desk is closed."""

    def __init__(self, desk: Desk) -> None:
        self._inner, self.closed = desk.hub, False
        desk.hub = self  # type: ignore[assignment]  # the rest of the way is the inner one's

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def _key_file_of_a_new_desk(world: World, folder: Path) -> Path:
    with world.organisation("my") as made:
        home = folder / "home"
        home.mkdir(mode=0o700)
        KeyRingFile.create(home, PASSPHRASE.encode(), made.ring, cost=FAST)
        return home


def _keys_in_memory() -> int:
    gc.collect()
    return sum(isinstance(one, KeyRing) for one in gc.get_objects())
