"""Attacks on the hub's HTTPS door. After each, nothing of the attacker's is kept."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from broker.hub import models
from broker.hub.parts import Hub
from contracts.contents import week_key
from contracts.envelope import MAX_BODY
from contracts.identifiers import OrgId
from contracts.register import EncryptionKey
from contracts.sealing import EncryptionKeyPair, Plaintext, Sealed, seal
from contracts.signing import SigningKey
from tests.unit.hub.hubs import ENVELOPE, Caller, knock, make_hub, said, sqlite
from tests.unit.hub.network import DAY, Desk, Network, Organisation, new_mid

# What gunicorn tells an app of a body that comes in chunks, without a declared length.
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


@dataclass(slots=True)
class Scene:
    """A shelter in Malaysia, a clinic in Bangladesh, an attacker with a certified device."""

    network: Network
    hub: Hub
    shelter: Organisation
    clinic: Organisation
    attacker: Organisation

    def kept(self) -> int:
        """Rows of anything that was accepted."""
        with self.hub.engine.connect() as connection:
            return sum(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (models.acceptance, models.envelope, models.copy, models.outbox)
            )


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    network = Network()
    shelter = network.organisation("my", devices=2)
    clinic, attacker = network.organisation("bd"), network.organisation("bd")
    hub = make_hub(network, sqlite(tmp_path), a_minute=1_000_000)
    yield Scene(network, hub, shelter, clinic, attacker)
    hub.engine.dispose()


def refused(scene: Scene, answer: TestResponse, code: str, status: int = 422) -> None:
    """It was refused with this code, as problem details, and nothing is kept."""
    assert (answer.status_code, said(answer)["code"]) == (status, code), answer.text
    assert answer.content_type == "application/problem+json"
    assert scene.kept() == 0


def test_a_stolen_token_does_not_send_another_organisation_s_envelope(scene: Scene) -> None:
    sealed = scene.shelter.desk.seal(to=scene.clinic)
    refused(scene, knock(scene.hub, scene.attacker.desk).submit(sealed.body), "not_your_device")


def test_a_token_of_one_device_does_not_send_for_its_neighbour(scene: Scene) -> None:
    sealed = scene.shelter.desk.seal(to=scene.clinic)
    refused(scene, knock(scene.hub, scene.shelter.desks[1]).submit(sealed.body), "not_your_device")


def test_nobody_signs_in_another_organisation_s_name(scene: Scene) -> None:
    network, attacker = scene.network, scene.attacker.desk
    posing = Desk(network, scene.shelter.id, attacker.key, attacker.pairs)
    refused(
        scene,
        knock(scene.hub, attacker).submit(posing.seal(to=scene.clinic).body),
        "not_your_device",
    )


def test_an_uncertified_device_cannot_even_log_in(scene: Scene) -> None:
    unknown = Desk(scene.network, scene.shelter.id, SigningKey.generate(), ())
    answer = Caller(scene.hub, unknown).login()
    refused(scene, answer, "device_not_certified", 401)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_envelope_altered_in_any_byte_is_refused(scene: Scene, data: st.DataObject) -> None:
    caller = knock(scene.hub, scene.shelter.desk)
    body = bytearray(scene.shelter.desk.seal(to=scene.clinic).body)
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= 1 << data.draw(st.integers(0, 7))
    answer = caller.submit(bytes(body))
    assert answer.status_code in (413, 422)
    assert scene.kept() == 0


@pytest.mark.parametrize("end", [b"\n", b" ", b"\0", b"{}"])
def test_nothing_may_stand_after_an_envelope(scene: Scene, end: bytes) -> None:
    body = scene.shelter.desk.seal(to=scene.clinic).body
    refused(scene, knock(scene.hub, scene.shelter.desk).submit(body + end), "malformed")


def test_an_oversize_body_is_refused(scene: Scene) -> None:
    caller = knock(scene.hub, scene.shelter.desk)
    refused(scene, caller.submit(b"{" * (MAX_BODY + 1)), "too_large", 413)
    refused(scene, caller.submit(b"{" * (MAX_BODY + 2)), "too_large", 413)


@pytest.mark.parametrize("declared", [True, False])
def test_an_oversize_body_is_not_read_to_its_end(scene: Scene, declared: bool) -> None:
    caller, endless = knock(scene.hub, scene.shelter.desk), Endless()
    length = {"CONTENT_LENGTH": str(10**12)} if declared else CHUNKED
    answer = caller.client.post(
        "/v1/envelopes",
        input_stream=endless,
        content_type=ENVELOPE,
        headers=caller.headers,
        environ_overrides=length,
    )
    refused(scene, answer, "too_large", 413)
    assert endless.read_so_far <= 2 * MAX_BODY


def test_without_a_token_the_body_is_not_read_at_all(scene: Scene) -> None:
    endless = Endless()
    answer = Caller(scene.hub, scene.shelter.desk).client.post(
        "/v1/envelopes",
        input_stream=endless,
        content_type=ENVELOPE,
        environ_overrides={"CONTENT_LENGTH": str(10**12)},
    )
    refused(scene, answer, "login_required", 401)
    assert endless.read_so_far == 0


def test_an_expired_envelope_is_refused(scene: Scene) -> None:
    sealed = scene.shelter.desk.seal(to=scene.clinic, lifetime=DAY)
    scene.network.clock.now += DAY
    refused(scene, knock(scene.hub, scene.shelter.desk).submit(sealed.body), "expired")


def test_an_envelope_from_the_future_is_refused(scene: Scene) -> None:
    caller, now = knock(scene.hub, scene.shelter.desk), scene.network.clock()
    late = scene.shelter.desk.seal(to=scene.clinic, iat=now + 301)
    refused(scene, caller.submit(late.body), "from_the_future")
    assert (
        caller.submit(scene.shelter.desk.seal(to=scene.clinic, iat=now + 300).body).status_code
        == 202
    )


def test_a_replayed_envelope_is_answered_with_the_stored_notice_and_shown_once(
    scene: Scene,
) -> None:
    caller, sealed = knock(scene.hub, scene.shelter.desk), scene.shelter.desk.seal(to=scene.clinic)
    first = caller.submit(sealed.body)
    receiver = knock(scene.hub, scene.clinic.desk)
    for lease in [item["lease"] for item in receiver.lease()]:
        receiver.settle([lease])
    assert caller.submit(sealed.body).data == first.data
    assert receiver.lease() == []
    # Captured on the way and sent in by somebody else, it is not even looked up.
    answer = knock(scene.hub, scene.attacker.desk).submit(sealed.body)
    assert (answer.status_code, said(answer)["code"]) == (422, "not_your_device")


def test_keys_that_name_a_foreign_device_are_refused(scene: Scene) -> None:
    caller = knock(scene.hub, scene.shelter.desk)
    allowed = keys_for(scene, scene.clinic, scene.shelter.desk)
    for foreign in (
        keys_for(scene, scene.attacker, scene.shelter.desk)[0],
        week_key(EncryptionKeyPair.generate().public, at=scene.network.clock()),
        # The sending device itself: it would fetch its own message as if it came from outside.
        week_key(scene.shelter.desk.pairs[0].public, at=scene.network.clock()),
    ):
        body = sealed_to(scene, [*allowed, foreign]).body
        refused(scene, caller.submit(body), "keys_changed")


def test_keys_without_any_of_the_receiver_are_refused(scene: Scene) -> None:
    own = week_key(scene.shelter.desks[1].pairs[0].public, at=scene.network.clock())
    caller = knock(scene.hub, scene.shelter.desk)
    refused(scene, caller.submit(sealed_to(scene, [own]).body), "keys_changed")


def test_a_state_body_is_reached_on_a_route_that_nobody_has_signed(scene: Scene) -> None:
    mission = scene.network.organisation("pk", kind="mission")
    caller = knock(scene.hub, scene.shelter.desk)
    refused(scene, caller.submit(scene.shelter.desk.seal(to=mission).body), "no_route")


def test_a_civil_organisation_is_reached_on_a_proposed_route(scene: Scene) -> None:
    pakistan = scene.network.organisation("pk")
    caller = knock(scene.hub, scene.shelter.desk)
    assert caller.submit(scene.shelter.desk.seal(to=pakistan).body).status_code == 202


def test_a_pair_without_any_route_carries_nothing(scene: Scene) -> None:
    vietnam = scene.network.organisation("vn")
    caller = knock(scene.hub, scene.clinic.desk)
    refused(scene, caller.submit(scene.clinic.desk.seal(to=vietnam).body), "no_route")


def test_an_unknown_organisation_receives_nothing(scene: Scene) -> None:
    stranger = week_key(EncryptionKeyPair.generate().public, at=scene.network.clock())
    body = sealed_to(scene, [stranger], to=OrgId("bd-0000000000000000")).body
    refused(scene, knock(scene.hub, scene.shelter.desk).submit(body), "unknown_recipient")


def test_a_device_whose_certificate_ended_loses_access_with_its_token(scene: Scene) -> None:
    short = scene.shelter.add_desk(days=1)
    caller = knock(scene.hub, short)
    scene.network.clock.now += DAY - 1
    caller.login()
    assert caller.submit(short.seal(to=scene.clinic).body).status_code == 202
    scene.network.clock.now += 1
    for answer in (
        caller.submit(short.seal(to=scene.clinic).body),
        caller.client.post("/v1/mailbox/lease", json={"max": 1}, headers=caller.headers),
        caller.login(),
    ):
        assert answer.status_code == 401


def test_a_used_nonce_lets_nobody_in_again(scene: Scene) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    proof = scene.shelter.desk.proof(caller.nonce())
    assert caller.login(proof).status_code == 200
    refused(scene, caller.login(proof), "another_nonce", 401)


def test_an_old_nonce_lets_nobody_in(scene: Scene) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    nonce = caller.nonce()
    scene.network.clock.now += 60
    refused(scene, caller.login(scene.shelter.desk.proof(nonce)), "another_nonce", 401)


def test_a_made_up_nonce_lets_nobody_in(scene: Scene) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    real = bytearray(caller.nonce())
    real[7] ^= 1
    for nonce in (secrets.token_bytes(32), bytes(32), bytes(real)):
        refused(scene, caller.login(scene.shelter.desk.proof(nonce)), "another_nonce", 401)


def test_a_nonce_of_another_hub_lets_nobody_in(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Network()
    other_hub = make_hub(other, sqlite(tmp_path / "other"))
    nonce = other_hub.logins.nonce(now=scene.network.clock())
    caller = Caller(scene.hub, scene.shelter.desk)
    refused(scene, caller.login(scene.shelter.desk.proof(nonce)), "another_nonce", 401)
    other_hub.engine.dispose()


def test_a_proof_made_for_another_server_is_not_passed_on(scene: Scene) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    proof = scene.shelter.desk.proof(caller.nonce(), server=SigningKey.generate().key_id)
    refused(scene, caller.login(proof), "another_server", 401)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_skewed_clock_is_refused(scene: Scene, seconds: int) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    proof = scene.shelter.desk.proof(caller.nonce(), iat=scene.network.clock() + seconds)
    refused(scene, caller.login(proof), "clock", 401)


def test_a_proof_signed_by_another_device_is_refused(scene: Scene) -> None:
    caller = Caller(scene.hub, scene.shelter.desk)
    posing = Desk(scene.network, scene.shelter.id, scene.attacker.desk.key, ())
    refused(scene, caller.login(posing.proof(caller.nonce())), "device_not_certified", 401)
    good = scene.shelter.desk.proof(caller.nonce())
    other = scene.shelter.desks[1].proof(caller.nonce())
    body, signature = good.partition(b'"s"')[0], other.partition(b'"s"')[2]
    refused(scene, caller.login(body + b'"s"' + signature), "bad_proof", 401)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer \xff", "Basic YTpi", "Bearer " + "A" * 43 + "="]
)
def test_a_guessed_token_lets_nobody_in(scene: Scene, header: str) -> None:
    client = knock(scene.hub, scene.shelter.desk).client
    answer = client.post("/v1/mailbox/lease", json={"max": 1}, headers={"Authorization": header})
    refused(scene, answer, "login_required", 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_ends_after_fifteen_minutes(scene: Scene) -> None:
    caller = knock(scene.hub, scene.shelter.desk)
    scene.network.clock.now += 899
    assert caller.lease() == []
    scene.network.clock.now += 1
    answer = caller.client.post("/v1/mailbox/lease", json={"max": 1}, headers=caller.headers)
    refused(scene, answer, "login_required", 401)


def test_the_database_of_tokens_lets_nobody_in(scene: Scene) -> None:
    caller = knock(scene.hub, scene.shelter.desk)
    with scene.hub.engine.connect() as connection:
        [stored] = connection.execute(select(models.session.c.token_digest)).scalars()
    assert caller.token not in stored
    caller.token = stored
    answer = caller.client.post("/v1/mailbox/lease", json={"max": 1}, headers=caller.headers)
    refused(scene, answer, "login_required", 401)


class Endless(io.RawIOBase):
    """A sender that never stops."""

    def __init__(self) -> None:
        super().__init__()
        self.read_so_far = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, _place: int, _from: int = 0) -> int:
        """Werkzeug's test client measures a stream; the declared length is what counts."""
        return 0

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # narrower is enough
        self.read_so_far += len(buffer)
        return len(buffer)


def keys_for(scene: Scene, to: Organisation, desk: Desk) -> tuple[EncryptionKey, ...]:
    return scene.network.register.recipients(
        to=to.id, sender=desk.org, sender_device=desk.key_id, now=scene.network.clock()
    )


def sealed_to(scene: Scene, keys: list[EncryptionKey], *, to: OrgId | None = None) -> Sealed:
    """An envelope of the shelter's first desk to exactly these keys."""
    desk, now = scene.shelter.desk, scene.network.clock()
    return seal(
        Plaintext(b"{}"),
        key=desk.key,
        sender=desk.org,
        to=to or scene.clinic.id,
        recipients=keys,
        contract="case-referral/1",
        mid=new_mid(),
        iat=now,
        exp=now + DAY,
    )


@pytest.mark.parametrize("from_end", [False, True])
def test_an_envelope_every_desk_must_ignore_is_not_accepted(scene: Scene, from_end: bool) -> None:
    """Its `iat` is outside the sender's certificate: receivers drop it and send no receipt."""
    clock = scene.network.clock
    if from_end:
        desk = scene.shelter.add_desk(days=1)
        clock.now += DAY - 100
        sealed = desk.seal(to=scene.clinic, iat=clock.now + 200)
    else:
        clock.now += DAY
        desk = scene.shelter.add_desk()
        sealed = desk.seal(to=scene.clinic, iat=clock.now - 600)
    refused(scene, knock(scene.hub, desk).submit(sealed.body), "device_not_certified")
