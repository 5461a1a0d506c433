"""`rujukan keys` as people and programs use it: said before it is done, refused in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broker.desk import asking, keyfile, shown_keys, terminal
from broker.desk.archive import Archive
from broker.desk.cli import main
from broker.desk.courier import tick
from broker.desk.keyfile import Cost, Wrapping
from broker.desk.keyring import KeyRingFile, topped_up
from broker.desk.keys_standing import keys_standing
from broker.desk.publishing import Network
from broker.desk.secretfile import Kind, Secret, open_secret_file, write_secret_file
from broker.desk.sending import send_referral
from broker.desk.settings import DeskSettings
from broker.desk.store import FILE_NAME as DATABASE
from broker.desk.store import open_store
from broker.desk.unlocking import Desk
from contracts.contents import Role
from contracts.drafting import device_statement
from contracts.identifiers import KeyId, OrgId
from contracts.signing import SigningKey
from contracts.standing import Organisation
from contracts.statements import countersigned, parse_statement
from contracts.times import DAY, WEEK
from tests.unit.desk.simulated import LogCopy, World, cases
from tests.vouching import COORDINATORS

PASSPHRASE = b"fig lantern meadow quartz"
HOUR = 3600


def quick(passphrase: bytes, cost: Cost, salt: bytes) -> Wrapping:
    """Not Argon2id: nobody guesses passphrases in these tests."""
    return Wrapping(cost, salt, blake2b(passphrase + salt, digest_size=32).digest())


@dataclass
class Office:
    """One organisation's people at one computer, with their sticks in `folder`."""

    world: World
    desk: Desk
    folder: Path
    patch: pytest.MonkeyPatch
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.desk.home
        (self.folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        write_secret_file(self.stick("root"), self.root, PASSPHRASE)

    @property
    def org(self) -> OrgId:
        return self.desk.org

    @property
    def root(self) -> Secret:
        return Secret(Kind.ROOT, self.world.root.net, self.org, self.world.sticks[self.org])

    def stick(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *words: str, answer: str = "yes", home: Path | None = None) -> Result:
        """The command, typed at this computer (or one whose folder is `home`)."""
        settings = DeskSettings(
            home=home or self.home,
            root_file=self.folder / "root.json",
            directory_url="http://127.0.0.1:1",
            passphrase_file=self.folder / "passphrase",
        )
        self.patch.setattr(terminal, "settings", lambda: settings)
        self.patch.setattr(terminal, "unlocked", self._unlocked)
        self.patch.setattr(asking, "open_network", lambda _settings: self._network())
        result = CliRunner().invoke(main, ["keys", *words], input=f"{answer}\n")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def done(self, *words: str, home: Path | None = None) -> dict[str, Any]:
        """What a program reads of a command that worked."""
        result = self.run(*words, "--yes", "--json", home=home)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def refused(self, *words: str, home: Path | None = None) -> str:
        """The sentence of a command that did not do it; nothing was published."""
        before = len(self.world.log.leaves)
        result = self.run(*words, "--yes", home=home)
        assert result.exit_code == 1, result.output
        assert result.stderr.strip().endswith(".")
        assert len(self.world.log.leaves) == before
        return result.stderr

    def known(self) -> Organisation:
        known = self.world.log.register.organisation(self.org)
        assert known is not None
        return known

    def recovery_keys(self, *names: str) -> None:
        """Keys in force, each with another holder."""
        for name in names:
            self.done("recovery-key", "--org", self.org, "--key-file", str(self.stick(name)),
                      "--public", self.file(f"{name}.json"))  # fmt: skip
        self.done("set-recovery", "--root-key-file", str(self.stick("root")),
                  *(word for name in names for word in ("--public", self.file(f"{name}.json"))),
                  )  # fmt: skip
        self.pass_(73 * HOUR)

    def pass_(self, seconds: int) -> None:
        """Time goes by; somebody publishes, so that the log knows."""
        self.world.clock.pass_(seconds)
        self.world.organisation("th")

    @contextmanager
    def _unlocked(self) -> Iterator[Desk]:
        yield self.desk

    def _network(self) -> Network:
        log = LogCopy(self.world.log, self.world.root)
        return Network(self.world.root, log, self.world.directory, self.world.clock)


@pytest.fixture
def office(world: World, ours: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(keyfile, "_wrapping", quick)
    folder = tmp_path / "sticks"
    folder.mkdir()
    return Office(world, ours, folder, monkeypatch)


# Said before it is done


def every_change(office: Office) -> list[list[str]]:
    root, first = str(office.stick("root")), office.desk.ring.device
    return [
        ["freeze-device", first, "--since", "2026-01-01"],
        ["revoke-device", first, "--root-key-file", root],
        ["set-recovery", "--root-key-file", root],
        ["new-root", "--root-key-file", root, "--new-root-key-file", office.file("new.key")],
        ["new-device", "--org", office.org, "--role", "admin", "--out", office.file("r.json")],
        ["paper", "--key-file", root, "--out", office.file("paper.svg")],
        ["recovery-key", "--org", office.org, "--key-file", office.file("r.key"),
         "--public", office.file("r.pub")],
        ["checked", office.org],
        ["ask-again", "0" * 32, "--to", "bd-0123456789abcdef"],
        ["passphrase", "--key-file", root],
    ]  # fmt: skip


@pytest.mark.parametrize("which", range(10))
@pytest.mark.parametrize("answer", ["no", "", "y"])
def test_whoever_does_not_type_yes_changes_nothing(office: Office, which: int, answer: str) -> None:
    words = every_change(office)[which]
    before = sorted(path.name for path in office.folder.iterdir())
    leaves = len(office.world.log.leaves)
    told = office.run(*words, answer=answer)
    assert told.exit_code == 1
    assert "nothing was done" in told.stderr
    assert "  - " in told.stdout  # it was said what would happen
    assert sorted(path.name for path in office.folder.iterdir()) == before
    assert len(office.world.log.leaves) == leaves


@pytest.mark.parametrize("which", range(10))
def test_a_program_says_that_it_is_sure(office: Office, which: int) -> None:
    told = office.run(*every_change(office)[which], "--json", answer="yes")
    assert told.exit_code == 1
    assert "--yes" in json.loads(told.stdout)["error"]


def test_every_command_that_waits_says_when_it_counts(office: Office) -> None:
    told = office.run("new-root", "--root-key-file", str(office.stick("root")),
                      "--new-root-key-file", office.file("new.key"))  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "It counts from about" in told.stdout
    assert "Tell the coordinators and your peers" in told.stdout


@pytest.mark.parametrize("which", [0, 1, 2, 3, 4])
def test_without_the_directory_nothing_is_done_and_it_says_so(office: Office, which: int) -> None:
    office.world.log.reachable = False
    told = office.refused(*every_change(office)[which])
    assert "directory" in told
    assert "program itself" not in told


# Who we are


def test_keys_alone_shows_who_we_are_with_digits_and_a_code(office: Office) -> None:
    printed = office.run()
    assert printed.exit_code == 0
    assert keys_standing(office.desk).digits in printed.stdout
    assert "▀" in printed.stdout
    assert "this computer" in printed.stdout
    found = shown(office)
    assert (found["admitted"], found["green"], found["recovery_keys"]) == (True, True, 0)
    assert [one["state"] for one in found["devices"]] == ["in_force"]


def test_no_secret_is_in_what_commands_print(office: Office) -> None:
    office.recovery_keys("a", "b")
    printed = [office.run(), office.run("show", "--json")]
    seeds = [office.root.key.seed, office.desk.ring.signing.seed, office.desk.ring.archive_key]
    for result in printed:
        for seed in seeds:
            assert seed.hex() not in result.output


# A new computer


def test_a_new_computer_is_certified_by_an_admin_desk_and_opens_its_own_mailbox(
    office: Office, tmp_path: Path
) -> None:
    home, request = tmp_path / "new", office.file("request.json")
    made = office.done(
        "new-device", "--org", office.org, "--role", "caseworker", "--out", request, home=home
    )
    approved = office.done("approve", request, "--root-key-file", str(office.stick("root")))
    assert approved["device"] == made["device"]
    assert made["fingerprint"] in " ".join(approved["effects"])
    newcomer = opened(office.world, home)
    tick(newcomer)
    assert keys_standing(newcomer).green
    again = office.refused(
        "new-device", "--org", office.org, "--role", "admin", "--out", request, home=home
    )
    assert "already" in again


def test_without_any_desk_the_stick_certifies_and_it_counts_a_day_later(
    office: Office, tmp_path: Path
) -> None:
    home, request = tmp_path / "new", office.file("request.json")
    office.done("new-device", "--org", office.org, "--role", "admin", "--out", request, home=home)
    approved = office.done(
        "approve", request, "--root-key-file", str(office.stick("root")), home=tmp_path / "none"
    )
    assert approved["counts_from"]
    newcomer = opened(office.world, home)
    newcomer.log.sync()
    assert not keys_standing(newcomer).green
    office.world.clock.pass_(DAY)
    tick(newcomer)
    assert keys_standing(newcomer).green


def status(office: Office) -> dict[str, Any]:
    """What `rujukan status` tells programs of our keys."""
    return dict(shown_keys.status_json(keys_standing(office.desk)))


def waiting_device(office: Office, tmp_path: Path) -> KeyId:
    """A computer that somebody with the stick has certified, without any desk."""
    request = office.file("request.json")
    office.done("new-device", "--org", office.org, "--role", "admin", "--out", request,
                home=tmp_path / "new")  # fmt: skip
    office.done(
        "approve", request, "--root-key-file", str(office.stick("root")), home=tmp_path / "none"
    )
    office.desk.log.sync()
    [one] = keys_standing(office.desk).uncounted
    return one.device.key_id


def test_a_device_that_the_stick_alone_certified_is_an_alarm_until_it_is_frozen(
    office: Office, tmp_path: Path
) -> None:
    device = waiting_device(office, tmp_path)
    told = shown_keys.status_text(keys_standing(office.desk))
    assert "ALARM: a further computer with the role admin was certified" in told
    assert device in told
    assert f"rujukan keys freeze-device {device[:8]} --since" in told
    [waits] = status(office)["uncounted_devices"]
    assert waits["device"] == device
    office.done("freeze-device", device[:8], "--since", "2026-01-01")
    after = keys_standing(office.desk)
    assert "ALARM" not in shown_keys.status_text(after)
    office.pass_(2 * DAY)
    known = office.world.log.register.device(office.org, device)
    assert known is not None
    assert not known.in_force(office.world.clock())


def test_the_alarm_ends_when_the_device_counts_and_its_own_desk_raises_none(
    office: Office, tmp_path: Path
) -> None:
    waiting_device(office, tmp_path)
    newcomer = opened(office.world, tmp_path / "new")
    newcomer.log.sync()
    assert keys_standing(newcomer).uncounted == ()
    office.pass_(DAY)
    office.desk.log.sync()
    assert keys_standing(office.desk).uncounted == ()


def test_a_device_that_an_admin_desk_signed_too_is_no_alarm_on_a_clock_that_is_behind(
    office: Office,
) -> None:
    office.world.second_desk(office.desk)
    office.desk.log.sync()
    office.world.clock.pass_(-30)
    assert keys_standing(office.desk).uncounted == ()


def test_the_status_says_how_a_change_that_is_on_its_way_is_stopped(office: Office) -> None:
    office.done("new-root", "--root-key-file", str(office.stick("root")),
                "--new-root-key-file", str(office.stick("new")))  # fmt: skip
    office.desk.log.sync()
    assert "rujukan keys recover start" in shown_keys.status_text(keys_standing(office.desk))
    assert status(office)["pending"]["by"] == "root"


def test_the_status_of_a_recovery_says_that_the_root_cannot_cancel_it(office: Office) -> None:
    recovered(office)
    office.desk.log.sync()
    told = shown_keys.status_text(keys_standing(office.desk))
    assert "PENDING change of keys by two recovery keys" in told
    assert "The root key cannot cancel it" in told


def test_a_request_that_came_too_late_is_made_anew_with_the_same_keys(
    office: Office, tmp_path: Path
) -> None:
    home, request = tmp_path / "new", office.file("request.json")
    words = ("new-device", "--org", office.org, "--role", "caseworker", "--out", request)
    first = office.done(*words, home=home)
    office.world.second_desk(office.desk)
    late = office.refused("approve", request, "--root-key-file", str(office.stick("root")))
    assert "Make it anew" in late
    assert office.done(*words, home=home)["device"] == first["device"]
    office.done("approve", request, "--root-key-file", str(office.stick("root")))


def test_another_organisations_stick_certifies_nothing(
    office: Office, theirs: Desk, tmp_path: Path
) -> None:
    world, request = office.world, office.file("request.json")
    office.done(
        "new-device", "--org", office.org, "--role", "admin", "--out", request,
        home=tmp_path / "new",
    )  # fmt: skip
    stolen = Secret(Kind.ROOT, world.root.net, theirs.org, world.sticks[theirs.org])
    write_secret_file(office.stick("theirs"), stolen, PASSPHRASE)
    forged = Secret(Kind.ROOT, world.root.net, office.org, SigningKey.generate())
    write_secret_file(office.stick("forged"), forged, PASSPHRASE)
    for name in ("theirs", "forged"):
        office.refused("approve", request, "--root-key-file", str(office.stick(name)))


# Recovery keys


def test_recovery_keys_count_after_72_hours_and_are_shown_as_pending_before(
    office: Office,
) -> None:
    for name in ("a", "b"):
        office.done("recovery-key", "--org", office.org, "--key-file", str(office.stick(name)),
                    "--public", office.file(f"{name}.json"))  # fmt: skip
    office.done("set-recovery", "--public", office.file("a.json"), "--public",
                office.file("b.json"), "--root-key-file", str(office.stick("root")))  # fmt: skip
    before = shown(office)
    assert (before["recovery_keys"], before["pending"]["by"]) == (0, "root")
    office.pass_(73 * HOUR)
    after = shown(office)
    assert (after["recovery_keys"], after["pending"]) == (2, None)


def test_one_recovery_key_alone_is_never_named(office: Office) -> None:
    office.done("recovery-key", "--org", office.org, "--key-file", str(office.stick("a")),
                "--public", office.file("a.json"))  # fmt: skip
    told = office.refused("set-recovery", "--public", office.file("a.json"),
                          "--root-key-file", str(office.stick("root")))  # fmt: skip
    assert "one alone could never act" in told


def test_a_public_file_of_another_organisation_is_refused(office: Office, theirs: Desk) -> None:
    for name, org in (("a", office.org), ("b", theirs.org)):
        office.done("recovery-key", "--org", org, "--key-file", str(office.stick(name)),
                    "--public", office.file(f"{name}.json"))  # fmt: skip
    office.refused("set-recovery", "--public", office.file("a.json"), "--public",
                   office.file("b.json"), "--root-key-file", str(office.stick("root")))  # fmt: skip


def begun(office: Office) -> str:
    draft = office.file("recover.json")
    office.done("recover", "start", "--org", office.org, "--draft", draft,
                "--new-root-key-file", str(office.stick("new")))  # fmt: skip
    return draft


def test_recovery_by_one_key_is_refused(office: Office) -> None:
    office.recovery_keys("a", "b", "c")
    draft = begun(office)
    assert "lacks a signature" in office.refused("recover", "post", draft)
    for _ in range(2):  # the same key twice is one key
        signed = office.done("recover", "sign", draft, "--recovery-key-file",
                             str(office.stick("a")))  # fmt: skip
        assert not signed["complete"]
    assert "lacks a signature" in office.refused("recover", "post", draft)
    assert "not one of the recovery keys" in office.refused(
        "recover", "sign", draft, "--recovery-key-file", str(stranger(office))
    )


def stranger(office: Office) -> Path:
    """A recovery key that nobody has named."""
    path = office.stick("stranger")
    made = Secret(Kind.RECOVERY, office.world.root.net, office.org, SigningKey.generate())
    write_secret_file(path, made, PASSPHRASE)
    return path


def recovered(office: Office) -> None:
    office.recovery_keys("a", "b", "c")
    draft = begun(office)
    for name in ("c", "a"):
        office.done("sign", draft, "--recovery-key-file", str(office.stick(name)))
    office.done("post", draft)


def test_two_recovery_keys_give_a_new_root_that_certifies_a_new_computer(
    office: Office, tmp_path: Path
) -> None:
    recovered(office)
    assert shown(office)["pending"]["by"] == "recovery"
    office.pass_(73 * HOUR)
    home, request = tmp_path / "new", office.file("request.json")
    office.done("new-device", "--org", office.org, "--role", "admin", "--out", request, home=home)
    assert "not the root key" in office.refused(
        "approve", request, "--root-key-file", str(office.stick("root")), home=tmp_path / "none"
    )
    office.done(
        "approve", request, "--root-key-file", str(office.stick("new")), home=tmp_path / "none"
    )
    newcomer = opened(office.world, home)
    tick(newcomer)
    assert keys_standing(newcomer).green
    assert not keys_standing(office.desk).green  # what the old root certified has ended


def test_a_stolen_root_stick_does_not_stop_a_recovery(office: Office) -> None:
    recovered(office)
    office.refused("set-recovery", "--root-key-file", str(office.stick("root")))
    office.refused("new-root", "--root-key-file", str(office.stick("root")),
                   "--new-root-key-file", str(office.stick("thief")))  # fmt: skip
    office.pass_(73 * HOUR)
    new = open_secret_file(
        office.stick("new"), PASSPHRASE, kind=Kind.ROOT, net=office.world.root.net
    )
    assert office.known().root == new.key.public


def test_a_draft_that_the_chain_has_overtaken_is_begun_anew(office: Office) -> None:
    office.recovery_keys("a", "b")
    draft = begun(office)
    office.world.second_desk(office.desk)
    told = office.refused("sign", draft, "--recovery-key-file", str(office.stick("a")))
    assert "begun anew" in told


def test_a_file_that_is_no_draft_is_never_signed(office: Office, tmp_path: Path) -> None:
    office.recovery_keys("a", "b")
    path = tmp_path / "draft.json"
    certificate = device_statement(
        office.world.log.register.next_heading(office.org, iat=office.world.clock()),
        root=office.root.key, device=SigningKey.generate(), role=Role.ADMIN,
        nbf=office.world.clock(), naf=office.world.clock() + DAY,
    )  # fmt: skip
    for data in (b"", b"{}", certificate.render()):
        path.write_bytes(data)
        told = office.refused("sign", str(path), "--recovery-key-file", str(office.stick("a")))
        assert "not a draft" in told


def test_a_new_root_is_on_its_stick_before_it_is_in_the_log(office: Office) -> None:
    office.world.directory.lose_answers = True
    office.run("new-root", "--root-key-file", str(office.stick("root")), "--new-root-key-file",
               str(office.stick("new")), "--yes")  # fmt: skip
    office.world.directory.lose_answers = False
    new = open_secret_file(
        office.stick("new"), PASSPHRASE, kind=Kind.ROOT, net=office.world.root.net
    )
    office.pass_(73 * HOUR)
    assert office.known().root == new.key.public


# Freeze, revoke, thaw


def test_an_admin_desk_freezes_a_lost_computer_and_says_whom_to_phone(office: Office) -> None:
    lost = office.world.second_desk(office.desk)
    told = office.run("freeze-device", lost.ring.device[:8], "--since", "2026-01-01T08:30")
    assert told.exit_code == 0, told.output
    for words in ("cannot be undone", "Phone the peers", "Your other devices go on"):
        assert words in told.stdout
    device = office.world.log.register.device(office.org, lost.ring.device)
    assert device is not None
    assert device.stopped is not None
    states = {one["device"]: one["state"] for one in shown(office)["devices"]}
    assert states[lost.ring.device] == "frozen"
    before = len(office.world.log.leaves)
    office.done("freeze-device", lost.ring.device, "--since", "2026-01-01")
    assert len(office.world.log.leaves) == before  # said once


def test_freezing_the_computer_one_sits_at_says_so(office: Office) -> None:
    told = office.run("freeze-device", office.desk.ring.device, "--since", "2026-01-01", answer="")
    assert "This is the computer you sit at" in told.stdout
    assert "No other device of yours can receive" in told.stdout


def test_a_caseworkers_desk_freezes_nobody(office: Office) -> None:
    colleague = office.world.second_desk(office.desk)
    office.desk = colleague
    told = office.refused("freeze-device", colleague.ring.device, "--since", "2026-01-01")
    assert "role admin" in told


@pytest.mark.parametrize("since", ["2099-01-01", "yesterday", "2026-13-01", ""])
def test_a_suspicion_from_the_future_is_refused(office: Office, since: str) -> None:
    told = office.refused("freeze-device", office.desk.ring.device, "--since", since)
    assert "in UTC" in told


@pytest.mark.parametrize("beginning", ["", "abc", "zzzzzzzz", "0" * 32])
def test_a_device_is_never_chosen_by_accident(office: Office, beginning: str) -> None:
    office.refused("freeze-device", beginning, "--since", "2026-01-01")


def test_the_stick_revokes_and_the_desk_knows(office: Office) -> None:
    old = office.world.second_desk(office.desk)
    office.done("revoke-device", old.ring.device, "--root-key-file", str(office.stick("root")))
    states = {one["device"]: one["state"] for one in shown(office)["devices"]}
    assert states[old.ring.device] == "revoked"


@pytest.mark.parametrize("command", ["freeze-device", "revoke-device"])
def test_two_recovery_keys_stop_a_device_and_one_does_not(office: Office, command: str) -> None:
    office.recovery_keys("a", "b")
    lost, draft = office.world.second_desk(office.desk), office.file("stop.json")
    since = ("--since", "2026-01-01") if command == "freeze-device" else ()
    office.done(command, lost.ring.device, *since, "--recovery-key-file", str(office.stick("a")),
                "--draft", draft)  # fmt: skip
    assert "lacks a signature" in office.refused("post", draft)
    signed = office.done("sign", draft, "--recovery-key-file", str(office.stick("b")))
    assert signed["complete"]
    office.done("post", draft)
    device = office.world.log.register.device(office.org, lost.ring.device)
    assert device is not None
    assert device.stopped is not None


def test_an_organisation_is_frozen_by_two_keys_and_thawed_with_a_coordinator(
    office: Office,
) -> None:
    office.recovery_keys("a", "b")
    draft, thaw = office.file("freeze.json"), office.file("thaw.json")
    root = str(office.stick("root"))
    assert "not frozen" in office.refused("thaw", "--root-key-file", root, "--draft", thaw)
    office.done("freeze-organisation", "--since", "2026-01-01", "--recovery-key-file",
                str(office.stick("a")), "--draft", draft)  # fmt: skip
    office.done("sign", draft, "--recovery-key-file", str(office.stick("b")))
    office.done("post", draft)
    frozen = shown(office)
    assert (frozen["frozen"], frozen["green"]) == (True, False)
    assert "FROZEN" in office.run().stdout
    begun_thaw = office.done("thaw", "--root-key-file", root, "--draft", thaw)
    assert not begun_thaw["complete"]
    assert "lacks a signature" in office.refused("post", thaw)
    path = Path(thaw)
    signed = countersigned(parse_statement(path.read_bytes()), COORDINATORS[0].key)
    path.write_bytes(signed.render())
    office.done("post", thaw)
    assert shown(office)["green"]


# Paper


def test_a_stick_lost_comes_back_from_its_paper(office: Office) -> None:
    printed = office.done("paper", "--key-file", str(office.stick("root")))["paper"]
    (office.folder / "typed.txt").write_text(printed.upper())
    restored = office.done("restore-root", "--root-key-file", str(office.stick("again")),
                           "--paper", office.file("typed.txt"))  # fmt: skip
    assert restored["fingerprint"] == keys_standing(office.desk).digits
    again = open_secret_file(
        office.stick("again"), PASSPHRASE, kind=Kind.ROOT, net=office.world.root.net
    )
    assert again.key.seed == office.root.key.seed


def test_a_paper_file_is_its_owners_alone_and_replaces_nothing(office: Office) -> None:
    words = ("paper", "--key-file", str(office.stick("root")), "--out", office.file("paper.svg"))
    office.done(*words)
    path = office.folder / "paper.svg"
    assert path.stat().st_mode & 0o077 == 0
    before = path.read_bytes()
    assert "is there already" in office.refused(*words)
    assert path.read_bytes() == before


def test_a_wrong_passphrase_prints_nothing(office: Office) -> None:
    wrong = office.folder / "wrong"
    wrong.write_text("stick of drift wood and salt\n")
    told = office.refused("paper", "--key-file", str(office.stick("root")),
                          "--passphrase-file", str(wrong))  # fmt: skip
    assert "rjk-root" not in told


# Peers, and the passphrase


def test_a_peer_marked_as_checked_is_remembered_with_its_digits(
    office: Office, theirs: Desk
) -> None:
    marked = office.done("checked", theirs.org)
    with office.desk.store.reading() as rows:
        known = rows.checked(theirs.org)
    assert known is not None
    assert (known.digits, known.at) == (marked["fingerprint"], office.world.clock())
    office.world.clock.pass_(WEEK)
    office.done("checked", theirs.org)
    checked = shown(office)["checked"]
    assert [one["org"] for one in checked] == [theirs.org]
    raw = (office.desk.home / DATABASE).read_bytes()
    assert theirs.org.encode() not in raw


def test_a_peer_is_checked_by_phone_just_when_the_directory_is_away(
    office: Office, theirs: Desk
) -> None:
    office.desk.log.sync()
    office.world.log.reachable = False
    office.world.clock.pass_(9 * DAY)
    office.done("checked", theirs.org)
    with office.desk.store.reading() as rows:
        assert rows.checked(theirs.org) is not None


def test_asking_again_names_messages_and_tells_nothing_else(office: Office, theirs: Desk) -> None:
    send_referral(theirs, to=office.org, body=office.world.request(office.desk))
    office.world.settle(theirs, office.desk)
    assert len(cases(office.desk)) == 1
    office.done("ask-again", "ab" * 16, "cd" * 16, "--to", theirs.org)
    office.world.settle(theirs, office.desk)
    with theirs.store.reading() as rows:
        [asked] = [entry for entry in rows.apart() if entry.type == "resend_request"]
    assert not asked.own
    office.refused("ask-again", "not-a-number", "--to", theirs.org)


def test_a_sticks_passphrase_is_changed(office: Office) -> None:
    new = office.folder / "new"
    new.write_text("stick of drift wood and salt\n")
    office.done("passphrase", "--key-file", str(office.stick("root")),
                "--new-passphrase-file", str(new))  # fmt: skip
    assert "does not open" in office.refused("paper", "--key-file", str(office.stick("root")))
    office.done("paper", "--key-file", str(office.stick("root")), "--passphrase-file", str(new))


def test_a_weak_new_passphrase_leaves_the_old_one(office: Office) -> None:
    weak = office.folder / "weak"
    weak.write_text("password\n")
    office.refused("passphrase", "--key-file", str(office.stick("root")),
                   "--new-passphrase-file", str(weak))  # fmt: skip
    office.done("paper", "--key-file", str(office.stick("root")))


def shown(office: Office) -> dict[str, Any]:
    """What `rujukan keys --json` says now."""
    office.desk.log.sync()
    result = office.run("--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def opened(world: World, home: Path) -> Desk:
    """The desk that a command made, as a process that starts now."""
    keys = KeyRingFile.unlock(home, PASSPHRASE)
    open_store(home, Archive(keys.ring.archive_key)).close()
    assert keys.change(lambda ring: topped_up(ring, now=world.clock())).org
    return world.opened(home, keys)
