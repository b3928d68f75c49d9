"""Where the facts are kept: settings of storage alone, not those of the web process or of workers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageSettings(BaseSettings):
    """Settings of the database, from environment variables that begin with `BROCA_`."""

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

    @property
    def resolved_database_url(self) -> str:
        """The address to use: the one given, or that of the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.expanduser().absolute() / 'broca.db'}"
