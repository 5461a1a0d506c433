"""Every single bit of an envelope's body, turned over: nothing is overlooked, by nobody."""

from __future__ import annotations

import pytest

from contracts.envelope import check_for_hub
from contracts.errors import Refused, Rejected
from tests.unit.contracts.world import MY, NOW, world

HERE = world()
# As small as an envelope gets: an empty message to one key still fills one bucket.
BODY = HERE.sealed(b"").body


@pytest.mark.parametrize("bit", range(8))
def test_an_opener_rejects_the_body_with_any_one_bit_changed(bit: int) -> None:
    for at in range(len(BODY)):
        with pytest.raises(Rejected) as caught:
            HERE.opened(_flipped(BODY, at, bit))
        # Nothing signed was ever reached: no receipt goes back, no raw bytes are kept.
        assert not caught.value.signed, at


@pytest.mark.parametrize("bit", range(8))
def test_a_hub_refuses_the_body_with_any_one_bit_changed(bit: int) -> None:
    # Every third byte: the reading and the signature are the opener's own.
    for at in range(bit % 3, len(BODY), 3):
        with pytest.raises(Refused):
            check_for_hub(
                _flipped(BODY, at, bit), org=MY, device=HERE.my_1.key.key_id,
                register=HERE.register, routes=HERE.routes, now=NOW,
            )  # fmt: skip


def test_the_unchanged_body_opens() -> None:
    HERE.opened(BODY)


def _flipped(body: bytes, at: int, bit: int) -> bytes:
    return body[:at] + bytes((body[at] ^ 1 << bit,)) + body[at + 1 :]
