"""A key on a stick: never replaced, never taken for another's, another network's, another kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.desk.errors import DeskError
from broker.desk.keyfile import open_key_file
from broker.desk.secretfile import (
    Kind,
    Secret,
    open_secret_file,
    parse_secret,
    render_secret,
    write_secret_file,
)
from contracts.encoding import b64encode, dump_json
from contracts.errors import ContractError
from contracts.identifiers import OrgId
from contracts.signing import SigningKey
from tests.unit.desk.simulated import FAST, NET

OURS, THEIRS = OrgId("my-0123456789abcdef"), OrgId("bd-0123456789abcdef")
PASSPHRASE = b"fig lantern meadow quartz"


@pytest.fixture(params=list(Kind))
def secret(request: pytest.FixtureRequest) -> Secret:
    return Secret(request.param, NET, OURS, SigningKey.generate())


def test_a_key_is_read_as_it_was_written(secret: Secret, tmp_path: Path) -> None:
    path = tmp_path / "stick.key"
    write_secret_file(path, secret, PASSPHRASE, cost=FAST)
    found = open_secret_file(path, PASSPHRASE, kind=secret.kind, net=NET, org=OURS)
    assert found.key.seed == secret.key.seed
    assert path.stat().st_mode & 0o077 == 0
    assert secret.key.seed not in path.read_bytes()


def test_a_key_meant_for_something_else_is_refused(secret: Secret, tmp_path: Path) -> None:
    path = tmp_path / "stick.key"
    write_secret_file(path, secret, PASSPHRASE, cost=FAST)
    other = next(kind for kind in Kind if kind is not secret.kind)
    for kind, net, org, code in (
        (other, NET, OURS, "other_kind_of_key"),
        (secret.kind, "demo.other", OURS, "other_network"),
        (secret.kind, NET, THEIRS, "key_of_another"),
    ):
        with pytest.raises(DeskError) as caught:
            open_secret_file(path, PASSPHRASE, kind=kind, net=net, org=org)
        assert caught.value.code == code
        assert str(caught.value).endswith(".")


def test_a_stick_that_is_there_is_never_replaced(secret: Secret, tmp_path: Path) -> None:
    path = tmp_path / "stick.key"
    write_secret_file(path, secret, PASSPHRASE, cost=FAST)
    before = path.read_bytes()
    with pytest.raises(DeskError) as caught:
        write_secret_file(path, secret, PASSPHRASE, cost=FAST)
    assert caught.value.code == "key_file_exists"
    assert path.read_bytes() == before


def test_a_stick_that_is_not_plugged_in_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeskError) as caught:
        open_secret_file(tmp_path / "no.key", PASSPHRASE, kind=Kind.ROOT, net=NET)
    assert caught.value.code == "secret_file_missing"


def test_a_stick_of_an_earlier_version_still_opens() -> None:
    """Its members were these and are these."""
    seed = bytes(range(32))
    earlier = dump_json({"v": 1, "net": NET, "org": OURS, "root": b64encode(seed)})
    found = parse_secret(earlier)
    assert (found.kind, found.key.seed) == (Kind.ROOT, seed)
    assert render_secret(found) == earlier


@pytest.mark.parametrize("members", [{}, {"root": "", "recovery": ""}, {"root": "AA=="}, {"x": 1}])
def test_content_with_no_key_or_two_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(ContractError):
        parse_secret(dump_json({"v": 1, "net": NET, "org": OURS, **members}))


def test_the_passphrase_and_nothing_else_opens_it(secret: Secret, tmp_path: Path) -> None:
    path = tmp_path / "stick.key"
    write_secret_file(path, secret, PASSPHRASE, cost=FAST)
    with pytest.raises(DeskError):
        open_secret_file(path, PASSPHRASE + b"!", kind=secret.kind, net=NET)
    assert open_key_file(path, PASSPHRASE).content == render_secret(secret)
