"""Where the broker is. Celery is not loaded with it: who scores without a queue reads settings, too."""

from __future__ import annotations

from pydantic import Field

from storage.settings import StorageSettings


class QueueSettings(StorageSettings):
    """Settings of whoever rings or hears the bell."""

    broker_url: str | None = Field(
        default=None,
        description="Address of the broker, `redis://…`; when absent, Celery's filesystem broker in the data folder.",
    )
