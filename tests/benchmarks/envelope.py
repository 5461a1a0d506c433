"""What sealing, the hub's check and opening cost, against what libsodium alone costs here.

`python -m tests.benchmarks.envelope` prints milliseconds and ratios, and exits 1 where a ratio
is over 2. The floors are the bare libsodium calls (and the one SHA-512) on the same bytes.

A hub's only libsodium call is one verification, so what it mostly does is read: its floor holds
the Base64 of the ciphertext too, which no reader of this form gets around. The line with the
bare call alone is printed beside it and not judged.
"""

from __future__ import annotations

import binascii
import hashlib
import sys
from collections.abc import Callable
from typing import Final

from nacl import bindings
from nacl.utils import random

from contracts.encoding import b64encode
from contracts.envelope import check_for_hub, parse_envelope
from contracts.sealing import Plaintext, _padded, seal
from tests.benchmarks.measuring import NOT_JUDGED, Cost, compared, exit_code
from tests.unit.contracts.world import BD, DAY, MID, MY, NOW, World, world

SIZE: Final = 10 * 1024
ROUNDS: Final = 40
REPEATS: Final = 20
LIMIT: Final = 2.0


def main() -> int:
    """Measure and print; 0 if every ratio is within the limit."""
    costs = measured(world())
    for cost in costs:
        judged = NOT_JUDGED if cost.limit is None else ""
        sys.stdout.write(f"{cost.line(22)}{judged}\n")
    return exit_code(costs)


def measured(here: World) -> list[Cost]:
    """Seal, hub check and open of one 10 KiB message to one key."""
    message = Plaintext(random(SIZE))
    sealed = here.sealed(message.data)
    recipients = [here.bd_1.published]

    def seals() -> None:
        seal(
            message, key=here.my_1.key, sender=MY, to=BD, recipients=recipients,
            contract="case-referral/1", mid=MID, iat=NOW, exp=NOW + DAY,
        )  # fmt: skip

    def checks() -> None:
        check_for_hub(
            sealed.body, org=MY, device=here.my_1.key.key_id, register=here.register,
            routes=here.routes, now=NOW,
        )  # fmt: skip

    floors = _floors(here, message.data, sealed.body)
    return [
        _cost("seal", seals, floors["seal"]),
        _cost("hub check", checks, floors["hub check"]),
        _cost("hub check, bare floor", checks, floors["bare check"], limit=None),
        _cost("open", lambda: here.opened(sealed.body), floors["open"]),
    ]


def _floors(here: World, message: bytes, body: bytes) -> dict[str, Callable[[], None]]:
    """The bare calls, everything around them prepared beforehand."""
    envelope, pair = parse_envelope(body), here.bd_1.pair
    public = here.my_1.key.public
    secret = bindings.crypto_sign_seed_keypair(here.my_1.key.seed)[1]
    padded, cipher_key, header = _padded(message), random(32), envelope.header_bytes
    nonce, inner = envelope.nonce, random(64)
    ciphertext = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        padded, header, nonce, cipher_key
    )
    text = b64encode(ciphertext)
    signed = envelope.signature + envelope.transcript

    def seals() -> None:
        bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, header, nonce, cipher_key)
        bindings.crypto_box_seal(inner, pair.public)
        hashlib.sha512(ciphertext).digest()
        bindings.crypto_sign(envelope.transcript, secret)

    def checks() -> None:
        hashlib.sha512(ciphertext).digest()
        bindings.crypto_sign_open(signed, public)

    def reads() -> None:
        binascii.a2b_base64(text, strict_mode=True)
        checks()

    def opens() -> None:
        checks()
        bindings.crypto_box_seal_open(envelope.wraps[0], pair.public, pair.secret)
        bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, header, nonce, cipher_key)

    return {"seal": seals, "hub check": reads, "bare check": checks, "open": opens}


def _cost(
    name: str, ours: Callable[[], object], floor: Callable[[], object], limit: float | None = LIMIT
) -> Cost:
    return compared(name, ours, floor, limit=limit, rounds=ROUNDS, repeats=REPEATS)


if __name__ == "__main__":
    sys.exit(main())
