"""Settings of a worker, read once when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from scoring.subjects.model_cache import Keeping

from .exchange import HubTerms
from .queue_settings import QueueSettings


class WorkerSettings(QueueSettings):
    """What a worker can be told by environment variables that begin with `BROCA_`."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where models run; `auto` takes a GPU where one is seen."
    )
    lease_s: float = Field(default=60, gt=0, description="Seconds after which a silent worker's runs are taken back.")
    beat_s: float = Field(
        default=10, gt=0, description="Seconds between two renewals of a lease when no progress is written."
    )
    sweep_s: float = Field(
        default=5, gt=0, description="Seconds between two looks for leases that have ended and runs whose time is up."
    )
    poll_s: float = Field(default=1, gt=0, description="Seconds between two looks for work when no bell rings.")
    backoff_s: float = Field(default=15, ge=0, description="First pause before a failed attempt is repeated; doubles.")
    max_attempts: int = Field(default=3, ge=1, description="Attempts after which a run fails for good.")
    run_timeout_s: float = Field(default=6 * 3600, gt=0, description="Seconds that one fetch or one scoring may take.")
    max_memory_bytes: int | None = Field(
        default=None,
        gt=0,
        description="Bytes of memory that one fetch or one scoring may hold; "
        "when absent, what this machine or its control group has left, less a reserve.",
    )

    untrained_twins: bool = Field(
        default=True,
        description="Score untrained twins of every model in the background, as baselines beside its scores.",
    )
    cache_bytes: int = Field(
        default=20 * 1024**3,
        ge=0,
        description="Bytes of responses kept in the data folder; the least recently used go first, 0 keeps none.",
    )
    keep_activations: bool = Field(
        default=False, description="Keep the activations of every layer too, as float32 files beside the responses."
    )

    model_cache_bytes: int = Field(
        default=1024**4,
        gt=0,
        description="Bytes of downloaded models kept in the data folder; the least recently used revision goes first.",
    )

    def hub_terms(self, use_file: Path, *, is_last_attempt: bool) -> HubTerms:
        """How a fetch has to deal with the hub; `use_file` is where it writes down what its claim reads."""
        keeping = Keeping(
            max_model_bytes=self.max_model_bytes,
            cache_bytes=self.model_cache_bytes,
            use_file=use_file,
            keeps_partial=not is_last_attempt,
        )
        return HubTerms(keeping=keeping, timeout_s=self.hub_timeout_s, hosts=self.further_hub_hosts)

    @property
    def model_cache(self) -> Path:
        """Where downloaded models lie."""
        return self.home / "models"

    @property
    def response_cache(self) -> Path:
        """Where responses of models are kept."""
        return self.home / "responses"

    @property
    def work_folder(self) -> Path:
        """Where each attempt has a folder as long as it lasts."""
        return self.home / "work"
