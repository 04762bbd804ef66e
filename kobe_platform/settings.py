"""Reads the settings of an installation from the environment (prefix ``KOBE_``) and from nowhere else."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kobe_platform.vocabulary.months import FORM
from kobe_platform.vocabulary.municipality import DEFAULT, VARIABLE

PROJECT = Path(__file__).resolve().parent.parent


def with_driver(url: str) -> str:
    """``postgresql://…`` with the driver of the extra ``postgres``, which Dagster uses: SQLAlchemy takes another."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", url)


class Settings(BaseSettings):
    """Where an installation keeps its things, and who it is.

    Attributes:
        home: everything that the platform writes (``KOBE_HOME``).
        inbox: the core systems' share, which the platform only reads (``KOBE_INBOX``); never inside ``home``.
        municipality: five-digit code of the city whose deliveries are taken (``KOBE_MUNICIPALITY``); the vocabulary
            of the process is that of the same one (:mod:`kobe_platform.vocabulary.municipality`).
        contracts, statistics, forecasts, unusual, dashboards, ondemand: the declarative files that the graph is
            derived from; ``forecasts`` and ``unusual`` lie beside ``statistics`` by default.
        principal: who is acting, as the log of key use records it (``KOBE_PRINCIPAL``).
        passphrase_file: file whose first line opens the key store, where it has a passphrase
            (``KOBE_PASSPHRASE_FILE``).
        key_service: who keeps the keys (``KOBE_KEY_SERVICE``): ``local`` or ``aws-kms``; docs/custody.md.
        kms_region, kms_endpoint: of AWS KMS (``KOBE_KMS_REGION``, ``KOBE_KMS_ENDPOINT``: a VPC endpoint's URL).
        raw_days: days after which the raw partition of a month that the lake holds is destroyed (``KOBE_RAW_DAYS``).
        history_months: months of former releases of a month that take part in its protection and audit
            (``KOBE_HISTORY_MONTHS``; docs/statistics.md).
        keep_releases: releases that stay with their pages and tables (``KOBE_KEEP_RELEASES``); all by default.
        run_log_days: days that the events of each step of a run are kept in Dagster (``KOBE_RUN_LOG_DAYS``).
        page_processes: processes that work on the pages of a site at once (``KOBE_PAGE_PROCESSES``); by default as many
            as there are processors and memory for, where there is enough to do.
        backup: folder or ``s3://`` address whose backups' age is watched (``KOBE_BACKUP``).
        start: the first month of the platform's series (``KOBE_START``): the graph's first monthly partition.
        prefecture: folder of the homes of many municipalities (``KOBE_PREFECTURE``), for ``kobe prefecture`` alone.
        prefecture_runs, prefecture_large_runs: municipalities at a time in the prefecture's Dagster, and large ones of
            them (``KOBE_PREFECTURE_RUNS``, ``KOBE_PREFECTURE_LARGE_RUNS``).
        broker: Redis through which the prefecture's runs go to workers on other machines (``KOBE_BROKER``).
        above_application: number of the application by which this municipality's cells go to its prefecture
            (``KOBE_ABOVE_APPLICATION``; docs/operations.md, Many municipalities).
        database_url: the governance database (``KOBE_DATABASE_URL``); a file under ``home`` by default.
        portal: the portal server's settings file (``KOBE_PORTAL``): sign-in, addresses, limits; may be absent.
        store_url: ``s3://BUCKET/PREFIX`` that machines share (``KOBE_STORE_URL``): lake, log of key use, key ring and
            releases lie there, and ``home`` holds this machine's copy; docs/operations.md.
        postgres_url: where Dagster keeps its records instead of SQLite (``KOBE_POSTGRES_URL``).
    """

    model_config = SettingsConfigDict(env_prefix="KOBE_", frozen=True)

    home: Path = Path("var")
    inbox: Path = Path("inbox")
    municipality: str = Field(default=DEFAULT, pattern=r"^\d{5}$")
    contracts: Path = PROJECT / "assets" / "contracts"
    statistics: Path = PROJECT / "assets" / "statistics"
    forecasts: Path | None = None
    unusual: Path | None = None
    dashboards: Path = PROJECT / "dashboards"
    ondemand: Path = PROJECT / "assets" / "ondemand.toml"
    principal: str = "platform"
    start: str = Field(default="2010-10", pattern=rf"^{FORM}$")
    prefecture: Path | None = None
    prefecture_runs: int = Field(default=2, ge=1)
    prefecture_large_runs: int = Field(default=1, ge=1)
    broker: str = ""
    above_application: str = ""
    database_url: str = ""
    portal: Path | None = None
    store_url: str = ""
    postgres_url: str = ""
    passphrase_file: Path | None = None
    key_service: Literal["local", "aws-kms"] = "local"
    kms_region: str = ""
    kms_endpoint: str = ""
    raw_days: int = Field(default=30, ge=0)
    history_months: int = Field(default=24, ge=0)
    keep_releases: int | None = Field(default=None, ge=2)
    backup: str = ""
    run_log_days: int = Field(default=180, ge=1)
    page_processes: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_municipality(self) -> Settings:
        if self.municipality != (os.environ.get(VARIABLE) or DEFAULT):
            raise ValueError(f"a process works for one municipality: that of {VARIABLE}")
        return self

    def environment(self) -> dict[str, str]:
        """The environment of a process that works on this installation: this one's, with the settings as they are."""
        told = {f"KOBE_{name.upper()}": str(value) for name, value in self.model_dump(exclude_none=True).items()}
        paths = {f"KOBE_{name.upper()}": str(value.resolve()) for name, value in self if isinstance(value, Path)}
        return {**os.environ, **told, **paths, "KOBE_POSTGRES_URL": with_driver(self.postgres_url)}

    @cached_property
    def root(self) -> Path:
        """``home`` as an absolute path."""
        return self.home.resolve()

    @property
    def forecast_files(self) -> Path:
        """Where forecasts are defined: beside the statistics that they name, unless told otherwise."""
        return self.forecasts or self.statistics.parent / "forecasts"

    @property
    def watch_files(self) -> Path:
        """Where watched series are defined: beside the statistics that they name, unless told otherwise."""
        return self.unusual or self.statistics.parent / "unusual"

    @property
    def keys(self) -> Path:
        """The local key store."""
        return self.root / "keys"

    @property
    def key_log(self) -> Path:
        """The append-only log of key use."""
        return self.root / "log" / "key_use.jsonl"

    @property
    def store(self) -> Path:
        """Encrypted partitions of every stage."""
        return self.root / "store"

    @property
    def receipts(self) -> Path:
        """What became of each delivery: coordinates and counts only."""
        return self.root / "receipts"

    @property
    def releases(self) -> Path:
        """Published tables and sites; ``current`` names the one in force."""
        return self.root / "releases"

    @property
    def governance(self) -> str:
        """URL of the governance database."""
        return self.database_url or f"sqlite:///{self.root / 'governance.sqlite'}"

    @property
    def portal_file(self) -> Path:
        """The portal server's settings file."""
        return self.portal or self.root / "portal.toml"

    @property
    def trials(self) -> Path:
        """Where it is remembered which definitions passed their trials; may be thrown away."""
        return self.root / "staging"

    @property
    def compiled(self) -> Path:
        """Compiled pages by content, kept from one build to the next: published figures only."""
        return self.root / "staging" / "bodies"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage (``DAGSTER_HOME``)."""
        return self.root / "dagster"
