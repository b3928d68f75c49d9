"""Settings of the web process. They are read once, by whoever starts it, and passed along."""

from __future__ import annotations

from pydantic import Field

from worker.queue import QueueSettings


class ApiSettings(QueueSettings):
    """What the web process can be told by environment variables that begin with `BROCA_`."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; beyond this machine only where there is an API key."
    )
    require_keys: bool = Field(
        default=False,
        description="Need an API key on this machine too; requests from elsewhere always need one.",
    )
    cors_origins: str | None = Field(
        default=None,
        description="Origins whose pages may ask from a browser, `https://…`, separated by commas; none when absent.",
    )
    rate_per_s: float = Field(
        default=50,
        ge=0,
        description="Requests a second that one key, or one address without a key, may send in the long run; "
        "not counted where no key is needed, 0 is no limit.",
    )
    rate_burst: int = Field(default=200, gt=0, description="Requests that one key or address may send at once.")
    max_live_jobs: int = Field(default=1000, gt=0, description="Unfinished jobs that one key may have.")
    max_streams: int = Field(
        default=100,
        gt=0,
        description="Event streams, waits and uploads that one key may have open at once; "
        "not counted where no key is needed.",
    )
    key_quota_bytes: int = Field(
        default=5_368_709_120,
        gt=0,
        description="Bytes that the imported files and data sets which one key brought may have together.",
    )
    header_timeout_s: float = Field(
        default=10, gt=0, description="Seconds in which the headers of a request must come."
    )
    request_timeout_s: float = Field(default=30, gt=0, description="Seconds in which the body of a request must come.")
    upload_timeout_s: float = Field(
        default=3600,
        gt=0,
        description="Seconds in which a file sent to `POST /v1/models` or `POST /v1/benchmarks` must come.",
    )
    max_connections: int = Field(default=2000, gt=0, description="Connections that the server keeps at once.")
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

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins whose pages may ask from a browser."""
        return tuple(origin.strip() for origin in (self.cors_origins or "").split(",") if origin.strip())
