"""The log's own signing key: a file that only its operator reads, made once.

It will sign the log's checkpoints; today only its public half is used, in the root file, so that
a network begun now does not have to change its root later.
"""

import os
from pathlib import Path

from broker.service.failures import Failure
from contracts.encoding import b64decode, b64encode
from contracts.errors import Malformed
from contracts.signing import SigningKey

_SEED: int = 32


def log_key(path: Path) -> SigningKey:
    """The key in the file, which is made with mode 0600 if it is not there."""
    if not path.exists():
        key = SigningKey.generate()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(b64encode(key.seed) + "\n")
        return key
    if path.stat().st_mode & 0o077:
        raise Failure(
            f"The log's key file {path} can be read by others. Nothing was done. Its owner sets"
            " its mode to 0600, and makes a new key if somebody else may have read it."
        )
    try:
        seed = b64decode(path.read_text(encoding="ascii").strip(), field="key", size=_SEED)
    except (Malformed, UnicodeDecodeError):
        raise Failure(f"{path} does not hold a key of the log. Nothing was done.") from None
    return SigningKey.from_seed(seed)
