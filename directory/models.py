"""The directory's tables: the statement log, what it has signed, and the public listings.

What it refuses to know: the address of a confidential service. `place` cannot hold one,
because its row repeats the service's `confidential` flag through a foreign key and a check
keeps that flag false; there is no other column for an address in any table. No query, no
visitor and no case has a table here either.

Flask-free on purpose: migrations, imports and tests use these classes without an application.
Times are whole seconds since 1970 in UTC; days are ISO dates.
"""

from datetime import date

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Every table of the directory."""


class StatementLeaf(Base):
    """One leaf of the statement log, exactly as it is served; never changed, never deleted."""

    __tablename__ = "statement_leaf"

    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class SignedCheckpoint(Base):
    """A checkpoint the log has signed: written down before anybody sees it, one for each size.

    `note` is its text with the log's signature alone; `at` is when it was signed.
    """

    __tablename__ = "checkpoint"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int] = mapped_column(BigInteger)


class KeptCosignature(Base):
    """The newest cosignature of one witness (its public key, hex) for one size, verified.

    `value` is what it made, without name and key hash. `asked_at` is our own time: the witness's
    stands in the signature and is its own word.
    """

    __tablename__ = "cosignature"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    witness: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    asked_at: Mapped[int] = mapped_column(BigInteger)


class PublishedCheckpoint(Base):
    """At most one row: the newest checkpoint with enough cosignatures, as it is served.

    `time` is what k witnesses' clocks say it is at least, 0 where none are needed.
    """

    __tablename__ = "published_checkpoint"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[bytes] = mapped_column(LargeBinary)
    time: Mapped[int] = mapped_column(BigInteger)


class Turn(Base):
    """Whose turn a task is that one process at a time does, and until when it may keep it."""

    __tablename__ = "turn"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))
    until: Mapped[int] = mapped_column(BigInteger)


class Generation(Base):
    """One row, one number: it moves with every change to a listing, and the index follows it."""

    __tablename__ = "generation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class EntryBytes(Base):
    """The exact bytes of an entry, under their SHA-256 (hex).

    `listed` once a statement in the log names them; the others are forgotten after a day, and
    replaced ones at once: an address may have become confidential meanwhile. `kept_at` is when
    they came last.
    """

    __tablename__ = "entry_bytes"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    kept_at: Mapped[int] = mapped_column(BigInteger)
    listed: Mapped[bool]


class Organisation(Base):
    """An organisation as its listing in the log shows it to the public.

    `entry` is the hash of what was signed, `listed_by` by whom and `listed_at` when; `confirmed_at`
    is when somebody last vouched for it. `unconfirmed`: one coordinator's word alone.
    """

    __tablename__ = "organisation"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    org_id: Mapped[str] = mapped_column(String(19), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String)
    alternate_names: Mapped[list[str]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(String)
    website: Mapped[str] = mapped_column(String)
    email: Mapped[str] = mapped_column(String)
    demo: Mapped[bool]
    entry: Mapped[str] = mapped_column(String(64))
    listed_by: Mapped[str] = mapped_column(String(19))
    listed_at: Mapped[int] = mapped_column(BigInteger)
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger)
    unconfirmed: Mapped[bool]
    last_modified: Mapped[int] = mapped_column(BigInteger)
    services: Mapped[list["Service"]] = relationship(
        back_populates="organisation", order_by="Service.key"
    )


class Service(Base):
    """What an organisation offers, where and to whom. Text columns are plain text, "" if unsaid.

    `names` maps one of the ten interface languages to the service's name in it. `services`,
    `populations`, `languages` (ISO 639-3) and `availability` hold codes.
    """

    __tablename__ = "service"
    __table_args__ = (
        UniqueConstraint("organisation_id", "key"),
        UniqueConstraint("id", "confidential"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    key: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String)
    names: Mapped[dict[str, str]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(String)
    services: Mapped[list[str]] = mapped_column(JSON)
    populations: Mapped[list[str]] = mapped_column(JSON)
    languages: Mapped[list[str]] = mapped_column(JSON)
    availability: Mapped[list[str]] = mapped_column(JSON)
    country: Mapped[str] = mapped_column(String(2))
    region: Mapped[str] = mapped_column(String)
    coverage: Mapped[list[str]] = mapped_column(JSON)
    accepts_referrals: Mapped[bool]
    referral_how: Mapped[str] = mapped_column(String)
    confidential: Mapped[bool]
    confirmed_on: Mapped[date | None] = mapped_column(Date)
    last_modified: Mapped[int] = mapped_column(BigInteger, index=True)
    organisation: Mapped[Organisation] = relationship(back_populates="services")
    phones: Mapped[list["Phone"]] = relationship(
        order_by="Phone.position", cascade="all, delete-orphan"
    )
    place: Mapped["Place | None"] = relationship(cascade="all, delete-orphan")


class Phone(Base):
    """A number the public may ring; `kind` is `voice` or `hotline`."""

    __tablename__ = "phone"

    service_id: Mapped[str] = mapped_column(ForeignKey("service.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(8))


class Place(Base):
    """Where an open service is found; the database itself refuses one for a confidential one."""

    __tablename__ = "place"
    __table_args__ = (
        ForeignKeyConstraint(
            ["service_id", "confidential"], ["service.id", "service.confidential"]
        ),
        CheckConstraint("NOT confidential", name="place_is_never_confidential"),
    )

    service_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    confidential: Mapped[bool] = mapped_column(default=False)
    address_1: Mapped[str] = mapped_column(String)
    city: Mapped[str] = mapped_column(String)
    state_province: Mapped[str] = mapped_column(String)
    postal_code: Mapped[str] = mapped_column(String)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
