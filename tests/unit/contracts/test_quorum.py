"""The quorum: who counts, how often, and which time follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.checkpoints import (
    Checkpoint,
    Cosignature,
    checkpoint_text,
    cosign,
    sign_checkpoint,
)
from contracts.errors import BadSignature, Malformed, Refused
from contracts.notes import NoteSignature, render_note, signed_note
from contracts.quorum import Accepted, accept_checkpoint
from contracts.root import LOG_KEY, RULES, WITNESS_KEY, RootFile, VerifierKey, Witness
from contracts.signing import SigningKey

NET: Final = "referral.example/log"
NOW: Final = 1_795_200_000
COUNTRIES: Final = ("bd", "id", "in", "lk", "my", "np", "ph", "th")
LOG: Final = SigningKey.from_seed(b"l" * 32)
KEYS: Final = {country: SigningKey.from_seed(country.encode() * 16) for country in COUNTRIES}
CHECKPOINT: Final = Checkpoint(NET, 10, b"r" * 32)
TEXT: Final = checkpoint_text(CHECKPOINT)
SIGNED: Final = sign_checkpoint(CHECKPOINT, LOG)


def witness(country: str, *, key: SigningKey | None = None, name: str = "") -> Witness:
    """The witness of a country."""
    name = name or f"{country}.witness.example"
    public = (key or KEYS[country]).public
    return Witness(country, f"https://{name}", VerifierKey(name, WITNESS_KEY, public))


def root_file(*, k: int = 5, witnesses: tuple[Witness, ...] | None = None) -> RootFile:
    """5 of 8, if nothing else is said."""
    return RootFile(
        net=NET,
        version=1,
        rules=RULES,
        k=k,
        log=VerifierKey(NET, LOG_KEY, LOG.public),
        hubs=(),
        coordinators=(),
        witnesses=tuple(map(witness, COUNTRIES)) if witnesses is None else witnesses,
        statistics=None,
        hash="0" * 64,
    )


def by(country: str, *, at: int = NOW) -> NoteSignature:
    """That country's witness's cosignature."""
    return cosign(TEXT, name=witness(country).key.name, key=KEYS[country], at=at)


def without_time(country: str) -> NoteSignature:
    """A good cosignature that says no time."""
    key = witness(country).key
    value = bytes(8) + KEYS[country].sign_bytes(b"cosignature/v1\ntime 0\n" + TEXT)
    return NoteSignature(key.name, key.key_hash, value)


def accepted(*signatures: NoteSignature, root: RootFile | None = None) -> Accepted:
    """What is accepted of a note with the log's signature and these."""
    return accept_checkpoint(note(*signatures), root or root_file())


def note(*signatures: NoteSignature) -> bytes:
    """The checkpoint with the log's signature and these."""
    return render_note(signed_note(TEXT, SIGNED, *signatures))


FIVE: Final = tuple(by(country, at=NOW + at) for at, country in enumerate(COUNTRIES[:5]))


def test_five_of_eight_are_not_enough() -> None:
    found = accepted(*FIVE)
    assert found.checkpoint == CHECKPOINT
    assert found.log_signature == SIGNED.value
    assert found.note == note(*FIVE)
    assert [one.at for one in found.cosignatures] == [NOW + at for at in (4, 3, 2, 1, 0)]
    assert found.time == NOW


@pytest.mark.parametrize(
    "signatures",
    [
        (),
        FIVE[:4],
        FIVE[1:],
        (*FIVE[:4], *FIVE[:4]),
        (*FIVE[:4], by("bd", at=NOW + 99)),
        (*FIVE[:4], without_time("th")),
    ],
)
def test_four_are_enough(signatures: tuple[NoteSignature, ...]) -> None:
    with pytest.raises(Refused, match="too few witnesses, in checkpoint"):
        accepted(*signatures)


def test_a_witness_whom_the_root_file_does_not_name_counts() -> None:
    stranger = SigningKey.from_seed(b"s" * 32)
    name = witness("th").key.name
    for lines in (
        [cosign(TEXT, name="th.witness.other", key=stranger, at=NOW)],
        [cosign(TEXT, name=name, key=stranger, at=NOW)],
        [cosign(TEXT, name="th.witness.other", key=KEYS["th"], at=NOW)],
    ):
        with pytest.raises(Refused, match="too few witnesses"):
            accepted(*FIVE[:4], *lines)
    assert accepted(*FIVE[:4], by("th")).time == NOW


def test_two_witnesses_of_one_country_count_twice() -> None:
    second = SigningKey.from_seed(b"2" * 32)
    two = (*map(witness, COUNTRIES[:4]), witness("bd", key=second, name="second.example"))
    root = root_file(k=3, witnesses=two)
    again = cosign(TEXT, name="second.example", key=second, at=NOW + 50)
    with pytest.raises(Refused, match="too few witnesses"):
        accepted(by("bd"), again, by("id"), root=root)
    found = accepted(by("bd"), again, by("id"), by("in"), root=root)
    assert len(found.cosignatures) == 3
    assert found.cosignatures[0] == Cosignature(two[4].key, NOW + 50)  # the newer of the two
    assert found.time == NOW


def test_the_log_s_own_key_counts_as_a_witness() -> None:
    as_witness = cosign(TEXT, name=NET, key=LOG, at=NOW)
    with pytest.raises(Refused, match="too few witnesses"):
        accepted(*FIVE[:4], as_witness)


def test_the_log_s_signature_is_missing() -> None:
    with pytest.raises(BadSignature, match="not signed by the log"):
        accept_checkpoint(render_note(signed_note(TEXT, *FIVE)), root_file())
    with pytest.raises(Malformed, match="signature repeated"):
        accepted(SIGNED, *FIVE)


def test_one_bad_cosignature_is_passed_over() -> None:
    bad = replace(by("th"), value=by("ph").value)
    with pytest.raises(BadSignature):
        accepted(*FIVE, bad)


def test_the_checkpoint_of_another_net_is_accepted() -> None:
    log = VerifierKey("demo.example", LOG_KEY, LOG.public)
    with pytest.raises(BadSignature, match="not signed by the log"):
        accept_checkpoint(note(*FIVE), replace(root_file(), log=log))


def test_cosignatures_for_another_checkpoint_count() -> None:
    other = checkpoint_text(replace(CHECKPOINT, size=11))
    name = witness("th").key.name
    with pytest.raises(BadSignature):
        accepted(*FIVE[:4], cosign(other, name=name, key=KEYS["th"], at=NOW))


def test_an_exercise_without_witnesses_gets_a_time() -> None:
    root = root_file(k=0, witnesses=())
    assert accepted(root=root).time is None
    assert accepted(*FIVE, root=root).cosignatures == ()
    assert accepted(*FIVE, root=root_file(k=0)).time is None


def test_fewer_than_k_liars_move_the_time() -> None:
    century = 4_102_444_800  # 2100
    liars = [by(country, at=century) for country in COUNTRIES[:4]]
    assert accepted(*liars, by("my", at=NOW)).time == NOW
    # And none of them alone holds it back: the other five are enough.
    behind = [by(country, at=1) for country in COUNTRIES[:3]]
    assert accepted(*behind, *(by(country) for country in COUNTRIES[3:])).time == NOW


TIMES: Final = st.dictionaries(
    st.sampled_from(COUNTRIES), st.lists(st.integers(0, 2**40), min_size=1, max_size=3)
)


@given(TIMES, st.integers(1, 8))
def test_the_time_is_not_the_k_th_newest(times: dict[str, list[int]], k: int) -> None:
    lines = [
        by(country, at=at) if at else without_time(country)
        for country, said in times.items()
        for at in said
    ]
    counted = sorted((max(said) for said in times.values() if max(said)), reverse=True)
    root = root_file(k=k)
    if len(counted) < k:
        with pytest.raises(Refused, match="too few witnesses"):
            accepted(*lines, root=root)
    else:
        found = accepted(*lines, root=root)
        assert [one.at for one in found.cosignatures] == counted
        assert found.time == counted[k - 1]
        assert found == replace(accepted(*lines[::-1], root=root), note=found.note)


@given(st.data())
def test_two_forks_are_accepted_without_a_witness_who_signed_both(data: st.DataObject) -> None:
    """k > n/2: whoever believes either fork holds the proof against at least one witness."""
    fork = checkpoint_text(replace(CHECKPOINT, root=b"f" * 32))
    of_fork = replace(SIGNED, value=LOG.sign_bytes(fork))
    sides = data.draw(st.lists(st.booleans(), min_size=8, max_size=8))
    one = [by(country) for country, side in zip(COUNTRIES, sides, strict=True) if side]
    other = [
        cosign(fork, name=witness(country).key.name, key=KEYS[country], at=NOW)
        for country, side in zip(COUNTRIES, sides, strict=True)
        if not side
    ]
    believed = 0
    for data_of in (note(*one), render_note(signed_note(fork, of_fork, *other))):
        try:
            accept_checkpoint(data_of, root_file())
        except Refused:
            continue
        believed += 1
    assert believed <= 1
