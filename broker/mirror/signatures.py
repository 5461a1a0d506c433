"""Checking many signatures on a second processor, while the log is being folded on the first.

Half of what a log costs is libsodium's work, which needs no Python while it lasts. Whoever folds
with `Later.check` goes on as if every signature were good, and must ask `all_good` before anything
is believed; if one is not, everything is folded again and each is checked in its place.

    with Later() as later:
        growth = fold(check=later.check)
        if later.all_good(): return growth
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from contracts.errors import BadSignature
from contracts.signing import verify_bytes

# Handing one over costs as much as a tenth of checking it, so they go in hundreds.
_BATCH: Final = 128

_Signature = tuple[bytes, bytes, bytes]


class Later:
    """Signatures that are being checked; for one fold."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="signatures")
        self._waiting: list[_Signature] = []
        self._given: list[Future[bool]] = []

    def check(self, public: bytes, signature: bytes, signed: bytes) -> None:
        """Take one to be checked; raises nothing."""
        self._waiting.append((public, signature, signed))
        if len(self._waiting) >= _BATCH:
            self._give()

    def all_good(self) -> bool:
        """Wait until all are checked, and say whether every one of them is good."""
        self._give()
        return all([one.result() for one in self._given])

    def _give(self) -> None:
        self._given.append(self._pool.submit(_good, self._waiting))
        self._waiting = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def _good(signatures: list[_Signature]) -> bool:
    try:
        for public, signature, signed in signatures:
            verify_bytes(public, signature, signed)
    except BadSignature:
        return False
    return True
