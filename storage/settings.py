"""Where things lie on this machine: settings that every process of the service shares."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scoring.benchmarks.catalogue import Catalogue
from scoring.datasets.download import DataStore, OnBytes


class StorageSettings(BaseSettings):
    """Where the database, models and data are, from environment variables that begin with `BROCA_`."""

    model_config = SettingsConfigDict(env_prefix="BROCA_", extra="ignore")

    data_dir: Path = Field(
        default_factory=lambda: Path.home() / ".local" / "share" / "broca",
        description="Folder for everything kept between runs: the database file, downloads and caches.",
    )
    database_url: str | None = Field(
        default=None,
        description="Address of the database, `postgresql://…` or `sqlite:///path`; "
        "when absent, the SQLite file `broca.db` in the data folder.",
    )

    model_dir: Path | None = Field(default=None, description="Folder whose subfolders are the models `local/<folder>`.")
    data_mirror: Path | None = Field(
        default=None, description="Folder that holds files of data sets; looked into before anything is downloaded."
    )
    dataset_dir: Path | None = Field(
        default=None,
        description="Folder of the data sets `own/<name>`, the same for server and workers; "
        "when absent, `own` in the data folder.",
    )

    log_format: Literal["console", "json"] = Field(
        default="console", description="How the log is written to standard error: for people, or a JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged; at `info` every request and every event of a job."
    )

    hub_timeout_s: float = Field(
        default=10, gt=0, description="Seconds that the hub may take to begin an answer or to go on with one."
    )

    hub_hosts: str | None = Field(
        default=None,
        description="Further hosts, with commas between them, that a mirror of the hub may send downloads to.",
    )
    max_model_bytes: int = Field(
        default=400 * 1024**3, gt=0, description="Bytes that the files of one model may have; larger ones are refused."
    )

    worker_silence_s: float = Field(
        default=30, gt=0, description="Seconds after which a worker that was not heard of counts as gone."
    )

    @property
    def further_hub_hosts(self) -> tuple[str, ...]:
        """The hosts in `hub_hosts`, one by one."""
        return tuple(host for name in (self.hub_hosts or "").split(",") if (host := name.strip()))

    @property
    def home(self) -> Path:
        """The data folder as an absolute path."""
        return self.data_dir.expanduser().absolute()

    @property
    def import_dir(self) -> Path:
        """Where imported responses lie; server and workers have to see the same folder."""
        return self.home / "imported"

    @property
    def own_dir(self) -> Path:
        """Where data sets lie that users brought."""
        return self.home / "own" if self.dataset_dir is None else self.dataset_dir.expanduser().absolute()

    @property
    def catalogue(self) -> Catalogue:
        """Every benchmark, those on users' data sets among them."""
        return Catalogue(self.own_dir)

    def data_store(self, *, offline: bool, on_bytes: OnBytes | None = None) -> DataStore:
        """Where data sets lie; `on_bytes` is told how much of a file has been downloaded."""
        return DataStore(cache=self.home / "datasets", mirror=self.data_mirror, offline=offline, on_bytes=on_bytes)

    @property
    def resolved_database_url(self) -> str:
        """The address to use: the one given, or that of the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.home / 'broca.db'}"
