"""What the hub knows of the directory: its own verified mirror, kept fresh within bounds.

The hub trusts the directory no more than a desk does. It asks for news when what it has is
older than a few seconds, and once more when somebody it does not know knocks. A directory that
is down never stops it from carrying while the mirror is at most a day old; after that it stops,
because a frozen device might have been held back from it. A directory that contradicts what it
said before stops it at once.

    register = known.current(now=now)
    register = known.with_device(org, device, now=now)

It refuses to know how the mirror is fetched and checked (`broker.mirror`).
"""

from __future__ import annotations

from typing import Final, Protocol

from broker.mirror import DirectoryUnreachable, HardStop, Mirror
from broker.service.logs import logger
from contracts.identifiers import KeyId, OrgId
from contracts.register import Register

# Seconds. A freeze reaches the hub's door this late, at most.
OLD_AFTER: Final = 5
# Strangers can make the hub ask the directory; so often a second, in each process.
LOOKS_A_SECOND: Final = 10
_LEEWAY: Final = 24 * 3600

_log = logger(__name__)


class MirrorTooOld(Exception):
    """The directory has not been reached for a day. The operator must bring it back."""


class MirrorContradicted(Exception):
    """The directory contradicts what it said before. A person must find out why."""


class Known(Protocol):
    """Where an acceptance gets its register from."""

    def current(self, *, now: int) -> Register:
        """The register, refreshed if due. Raises `MirrorTooOld`, `MirrorContradicted`."""

    def with_device(self, org: OrgId, device: KeyId, *, now: int) -> Register:
        """`current`, and where it does not have this device, one more look at the directory."""


class KnownByMirror:
    """`Known`, from a mirror of the directory. One for each process; threads share it."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._looks = (0, 0)

    def current(self, *, now: int) -> Register:  # noqa: ARG002 - the mirror has its own clock
        """The register, at most a few seconds old where the directory answers."""
        try:
            self._mirror.ensure_fresh(OLD_AFTER)
            return self._mirror.register
        except DirectoryUnreachable:
            _log.error("directory_too_old")
            raise MirrorTooOld from None
        except HardStop as stop:
            _log.critical("directory_contradicts_itself", code=stop.stop.code)
            raise MirrorContradicted from None

    def with_device(self, org: OrgId, device: KeyId, *, now: int) -> Register:
        """The register with this device in it, if the directory has it by now."""
        register = self.current(now=now)
        if register.device(org, device) is not None or not self._may_look(now):
            return register
        try:
            # Not `sync`: before any signature was checked, strangers could make every thread wait
            # for its turn at a slow directory.
            self._mirror.look()
            return self._mirror.register
        except DirectoryUnreachable:
            return register
        except HardStop:
            raise MirrorContradicted from None

    def surely(self, *, now: int) -> int:
        """`now`, but no more than a day after what the witnesses say: for what is destroyed.

        A mirror older than that stops the hub, so only a clock that runs ahead is held back.
        """
        return min(now, self._mirror.time + _LEEWAY) if self._mirror.root.k else now

    def age(self, *, now: int) -> int | None:
        """Seconds since the directory last answered; None if it never has."""
        at = self._mirror.synced_at
        return None if at is None else max(0, now - at)

    def _may_look(self, now: int) -> bool:
        second, looks = self._looks
        self._looks = (now, looks + 1 if second == now else 1)
        return self._looks[1] <= LOOKS_A_SECOND
