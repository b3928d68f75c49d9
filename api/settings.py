"""Settings of the web process. They are read once, by whoever starts it, and passed along."""

from __future__ import annotations

from pydantic import Field

from worker.queue import QueueSettings


class ApiSettings(QueueSettings):
    """What the web process can be told by environment variables that begin with `BROCA_`."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(default=65_536, gt=0, description="Bytes that the body of a request may have.")
    max_import_bytes: int = Field(
        default=536_870_912,
        gt=0,
        description="Bytes that a file sent to `POST /v1/models` or `POST /v1/benchmarks` may have, and may unpack to.",
    )
    import_quota_bytes: int = Field(
        default=10_737_418_240,
        gt=0,
        description="Bytes that all imported files may have together, and all added data sets.",
    )
    preflight_timeout_s: float = Field(
        default=8, gt=0, description="Seconds that a preflight may take to look at a model, the hub's part included."
    )
    worker_silence_s: float = Field(
        default=30, gt=0, description="Seconds after which a worker that was not heard of counts as gone."
    )
