"""The rules once more, as slowly and plainly as they are written down, to compare with.

Nothing is remembered here but the list of statements that counted; every question is answered by
reading the whole list again, hour by hour where hours are counted. Keys go by name: signatures are
the register's business. It shares nothing with `contracts.rules` but the numbers of the design.

    naive = Naive(coordinators)
    if naive.legal(said): naive.said.append(said)
    naive.root_at(org, at), naive.frozen(org, at), naive.speaks(org, device, at)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

HOUR: Final = 3600
DAY: Final = 24 * HOUR
DELAY: Final = 72  # hours


@dataclass(frozen=True)
class Said:
    """A statement: who wrote it about whom, when, signed with which keys, and what it holds."""

    typ: str
    by: str
    org: str
    t: int
    signers: frozenset[str]
    first: bool = False
    root: str = ""
    recovery: tuple[str, ...] = ()
    of: str = ""  # a vouch: the root key that it is for
    device: str = ""
    role: str = "admin"
    nbf: int = 0
    naf: int = 0
    since: int = 0
    entry: str = ""
    pair: tuple[str, str] = ("", "")
    state: str = ""
    # Of a root file: id, country and key of each coordinator.
    coordinators: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Naive:
    """All that counted, in the log's order."""

    begun: tuple[tuple[str, str, str], ...]
    said: list[Said] = field(default_factory=list)

    def coordinators(self) -> Mapping[str, tuple[str, str]]:
        """Country and key of each coordinator in force, by id."""
        files = [one.coordinators for one in self.said if one.typ == "root"]
        return {who: (country, key) for who, country, key in [self.begun, *files][-1]}

    def exists(self, org: str) -> bool:
        """Whether it has been admitted."""
        return any(one.typ == "org" and one.org == org for one in self.said)

    # Keys in force

    def about(self, org: str, *types: str) -> list[Said]:
        """What counted about an organisation, of these types."""
        return [one for one in self.said if one.org == org and one.typ in types]

    def changes(self, org: str) -> Iterator[tuple[Said, int | None]]:
        """Every change of keys that nothing replaced in time, and when it counts, if known."""
        told = self.about(org, "org", "recover")
        for number, one in enumerate(told):
            counts = one.t if number == 0 else self.counts(one)
            after = told[number + 1].t if number + 1 < len(told) else None
            if counts is not None and (after is None or counts <= after):
                yield one, counts
            elif after is None:
                yield one, None

    def counts(self, change: Said) -> int | None:
        """When 72 hours have passed: all of them, or for a recovery those without a freeze."""
        if change.typ == "org":
            return change.t + DELAY * HOUR
        at, left, freezes = change.t, DELAY, self.freezes(change.org)
        while left:
            if not self.coordinators_freeze(change.org, at, freezes):
                left -= 1
            elif at > self.said[-1].t + DELAY * HOUR:
                return None  # one coordinator's would have ended
            at += HOUR
        return at

    def in_force(self, org: str, at: int) -> Said:
        """The statement whose root and recovery keys are in force."""
        return [one for one, counts in self.changes(org) if counts is not None and counts <= at][-1]

    def root_at(self, org: str, at: int) -> str:
        """The root key in force."""
        return self.in_force(org, at).root

    def pending(self, org: str, at: int) -> Said | None:
        """The change that waits."""
        last, counts = list(self.changes(org))[-1]
        return last if counts is None or counts > at else None

    def recovered(self, org: str, at: int) -> list[int]:
        """When recoveries came to count."""
        times = [counts for one, counts in self.changes(org) if one.typ == "recover"]
        return [counts for counts in times if counts is not None and counts <= at]

    def used(self, key: str) -> bool:
        """Whether a key has signed as somebody's root or device, or is a coordinator's."""
        shown = {
            one.device if one.typ == "device" else one.root
            for one in self.said
            if one.typ in ("device", "recover") or (one.typ == "org" and one.first)
        }
        return key in shown or key in {theirs for _, theirs in self.coordinators().values()}

    # Freezes of the organisation

    def freezes(self, org: str) -> list[tuple[int, Said, str, int | None]]:
        """Place, statement, country ("" for recovery keys) and end by a thaw of each."""
        found = []
        for place, one in enumerate(self.said):
            if (one.typ, one.org, one.device) == ("freeze", org, ""):
                later = [other for other in self.said[place:] if other.typ == "thaw"]
                thaws = [other.t for other in later if other.org == org]
                found.append((place, one, self.country_then(place), min(thaws, default=None)))
        return found

    def country_then(self, place: int) -> str:
        """The country of a statement's author when it was made; "" of an organisation."""
        before = Naive(self.begun, self.said[:place])
        return before.coordinators().get(self.said[place].by, ("", ""))[0]

    def coordinators_freeze(
        self, org: str, at: int, freezes: list[tuple[int, Said, str, int | None]] | None = None
    ) -> bool:
        """72 hours each; until a thaw where another country's signed while the first held."""
        made = [one for one in (self.freezes(org) if freezes is None else freezes) if one[2]]
        for place, one, country, thaw in made:
            if one.t <= at < min(one.t + DELAY * HOUR, at + 1 if thaw is None else thaw):
                return True
            for place2, two, country2, thaw2 in made:
                holds = place < place2 and two.t < one.t + DELAY * HOUR
                holds = holds and (thaw is None or thaw == thaw2)
                both = country != country2 and one.by != two.by
                if holds and both and two.t <= at and (thaw2 is None or at < thaw2):
                    return True
        return False

    def frozen(self, org: str, at: int) -> bool:
        """Whether the whole organisation may not speak."""
        by_recovery = any(
            one.t <= at and (thaw is None or at < thaw)
            for _, one, country, thaw in self.freezes(org)
            if not country
        )
        return by_recovery or self.coordinators_freeze(org, at)

    # Devices

    def speaks(self, org: str, device: str, at: int) -> bool:
        """Whether a device may speak for the organisation."""
        found = self.certified(org, device)
        return (
            found is not None
            and self.device_counts(found) <= at
            and found.nbf <= at < found.naf
            and not self.given_up(org, device, at)
            and not self.frozen(org, at)
        )

    def certified(self, org: str, device: str) -> Said | None:
        """The certificate of a device, or none."""
        return next((one for one in self.about(org, "device") if one.device == device), None)

    def device_counts(self, found: Said) -> int:
        """At once as the first of the root's, or with an admin device's signature."""
        place = self.said.index(found)
        before = Naive(self.begun, self.said[:place])
        since = max(before.recovered(found.org, found.t), default=0)
        others = [one for one in before.about(found.org, "device") if one.t >= since]
        others = [one for one in others if before.counted_after(one, since)]
        helped = len(found.signers) > 2
        return found.t if helped or not others else found.t + 24 * HOUR

    def counted_after(self, device: Said, since: int) -> bool:
        """Whether a device was certified when the newest recovery counted already."""
        place = self.said.index(device)
        before = Naive(self.begun, self.said[:place])
        return not since or since in before.recovered(device.org, device.t)

    def given_up(self, org: str, device: str, at: int) -> bool:
        """Frozen or revoked, or certified before a recovery that counts by now."""
        if any(one.device == device for one in self.about(org, "freeze", "revoke")):
            return True
        found = self.certified(org, device)
        if found is None:
            return True
        place = self.said.index(found)
        known = Naive(self.begun, self.said[:place]).recovered(org, found.t)
        return len(self.recovered(org, at)) > len(known)

    def admins(self, org: str, at: int) -> set[str]:
        """The admin devices that may speak."""
        devices = [one for one in self.about(org, "device") if one.role == "admin"]
        return {one.device for one in devices if self.speaks(org, one.device, at)}

    # What is legal

    def legal(self, one: Said) -> bool:
        """Whether this statement would count as the next one."""
        known = self.exists(one.org)
        if one.typ in ("vouch", "listing", "confirm", "route", "root") or known:
            return bool(getattr(self, f"_{one.typ}")(one))
        return one.typ == "org" and self._begins(one)

    def key(self, one: Said) -> frozenset[str] | None:
        """The author's key, if the author is a coordinator in force."""
        found = self.coordinators().get(one.by)
        return None if found is None else frozenset({found[1]})

    def _speaks_for_itself(self, one: Said) -> bool:
        return one.by == one.org and not self.frozen(one.org, one.t)

    def _two(self, one: Said) -> bool:
        keys = set(self.in_force(one.org, one.t).recovery)
        return one.signers <= keys and len(one.signers) >= 2

    def _begins(self, one: Said) -> bool:
        words = [word for word in self.about(one.org, "vouch") if word.of == one.root]
        now = self.coordinators()
        newest = {word.by: word for word in self.about(one.org, "vouch")}
        countries = {
            now[word.by][0]
            for word in words
            if word.by in now
            and word.signers == {now[word.by][1]}
            and one.t - word.t <= 30 * DAY
            and newest[word.by].of == one.root
        }
        fits = one.by == one.org and one.signers == {one.root} and not self.used(one.root)
        return fits and len(countries) >= 2

    def _org(self, one: Said) -> bool:
        if one.first:
            return False
        now, pending = self.in_force(one.org, one.t), self.pending(one.org, one.t)
        if pending is not None and pending.typ == "recover":
            return False
        same = one.root == now.root
        changed = pending is not None or not same or one.recovery != now.recovery
        fits = self._speaks_for_itself(one) and one.signers == {now.root}
        return fits and changed and (same or not self.used(one.root))

    def _vouch(self, one: Said) -> bool:
        begun = [said for said in self.about(one.org, "org") if said.first]
        return one.signers == self.key(one) and (not begun or begun[0].root == one.of)

    def _device(self, one: Said) -> bool:
        root, pending = self.root_at(one.org, one.t), self.pending(one.org, one.t)
        roots = {root} if pending is None else {root, pending.root}
        if pending is not None and pending.typ == "recover":
            roots = {root}
        if not self._speaks_for_itself(one) or self.used(one.device) or one.device in roots:
            return False
        others = one.signers - {root, one.device}
        return {root, one.device} <= one.signers and others <= self.admins(one.org, one.t)

    def _keys(self, one: Said) -> bool:
        found = self.certified(one.org, one.device)
        return (
            found is not None
            and self._speaks_for_itself(one)
            and one.signers == {one.device}
            and found.nbf <= one.t < found.naf
            and not self.given_up(one.org, one.device, one.t)
        )

    def _listing(self, one: Said) -> bool:
        if one.by == one.org:
            if not self.exists(one.org) or not self._speaks_for_itself(one):
                return False
            return len(one.signers) == 1 and one.signers <= self.admins(one.org, one.t)
        return not self.exists(one.org) and one.signers == self.key(one)

    def _confirm(self, one: Said) -> bool:
        listed = [said.entry for said in self.about(one.org, "listing")]
        return bool(listed) and listed[-1] == one.entry and self._listing(one)

    def _route(self, one: Said) -> bool:
        by_key = {key: country for country, key in self.coordinators().values()}
        mine, countries = self.key(one), {by_key.get(key) for key in one.signers}
        return mine is not None and mine <= one.signers and countries == set(one.pair)

    def _freeze(self, one: Said) -> bool:
        if one.since > one.t:
            return False
        if one.device:
            return self._freeze_device(one)
        if one.by == one.org:
            return self._two(one) and self._adds(one, "")
        country = self.coordinators().get(one.by, ("",))[0]
        return one.signers == self.key(one) and self._adds(one, country)

    def _freeze_device(self, one: Said) -> bool:
        if self.certified(one.org, one.device) is None:
            return False
        before = [f.since for f in self.about(one.org, "freeze") if f.device == one.device]
        if one.by == one.org:
            admin = len(one.signers) == 1 and one.signers <= self.admins(one.org, one.t)
            signed = admin or self._two(one)
        else:
            signed = one.signers == self.key(one)
        return signed and (not before or one.since < min(before))

    def _adds(self, one: Said, country: str) -> bool:
        """A freeze that lasts is only made older; nobody alone freezes twice in 30 days."""
        freezes = self.freezes(one.org)
        own = [f for _, f, _, thaw in freezes if f.by == one.by and thaw is None]
        far = one.t + 3000 * DAY
        if country:
            lasts = self.coordinators_freeze(one.org, far)
        else:
            lasts = any(not c and thaw is None for _, _, c, thaw in freezes)
        if own and lasts:
            return one.since < min(self._suspected(one.org, one.by))
        lately = [f for f in self._fresh(one.org, one.by) if one.t - f.t < 30 * DAY]
        second = any(
            c not in ("", country) and f.by != one.by and f.t <= one.t < f.t + DELAY * HOUR
            for _, f, c, thaw in freezes
            if thaw is None
        )
        return not country or not lately or second

    def _suspected(self, org: str, by: str) -> list[int]:
        """Since when, by the newest freeze of this author that was not merely made older."""
        own = [f for _, f, _, thaw in self.freezes(org) if f.by == by and thaw is None]
        newest = [f for f in self._fresh(org, by) if f in own][-1]
        return [f.since for f in own[own.index(newest) :]]

    def _fresh(self, org: str, by: str) -> list[Said]:
        """An author's freezes without those that only made one older."""
        found = []
        for place, one, country, _ in self.freezes(org):
            before = Naive(self.begun, self.said[:place])
            own = [f for _, f, _, thaw in before.freezes(org) if f.by == by and thaw is None]
            ends = before.freezes(org)
            lasts = (
                before.coordinators_freeze(org, one.t + 3000 * DAY)
                if country
                else any(not c and thaw is None for _, _, c, thaw in ends)
            )
            if one.by == by and not (own and lasts):
                found.append(one)
        return found

    def _thaw(self, one: Said) -> bool:
        root = self.root_at(one.org, one.t)
        others = one.signers - {root}
        keys = {key for _, key in self.coordinators().values()}
        signed = root in one.signers and len(others) == 1 and others <= keys
        return one.by == one.org and self.frozen(one.org, one.t) and signed

    def _revoke(self, one: Said) -> bool:
        if one.by != one.org or self.certified(one.org, one.device) is None:
            return False
        signed = one.signers == {self.root_at(one.org, one.t)} or self._two(one)
        return signed and not self.given_up(one.org, one.device, one.t)

    def _recover(self, one: Said) -> bool:
        keys = replace(one, signers=one.signers - {one.root})
        fresh = not self.used(one.root) and one.root != self.root_at(one.org, one.t)
        return one.by == one.org and fresh and one.root in one.signers and self._two(keys)

    def _root(self, one: Said) -> bool:
        now = self.coordinators()
        keys = {key for _, key in now.values()}
        author = one.by in now and now[one.by][1] in one.signers
        most = one.signers <= keys and len(one.signers) > len(keys) / 2
        orgs = any(self.exists(who) for who, _, _ in one.coordinators)
        shown = Naive((), [said for said in self.said if said.typ != "root"])
        taken = any(shown.used(key) for _, _, key in one.coordinators)
        return author and most and not orgs and not taken
