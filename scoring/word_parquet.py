"""Tables of words as Parquet and back; pyarrow is loaded when the first one is written or read.

What belongs here: files that this program wrote itself. What does not: those of strangers (`subjects.imports`).
"""

from __future__ import annotations

import io
from typing import Any

from .word_table import Reason, WordTable

TYPES = {
    "stimulus_id": "string",
    "story": "string",
    "word_index": "int64",
    "word": "string",
    "surprisal_bits": "float64",
    "surprisal_bits_sum": "float64",
    "n_tokens": "int64",
    "context_tokens": "int64",
    "time_published_ms": "float64",
    "time_realigned_ms": "float64",
    "log_frequency": "float64",
    "is_used": "bool",
    "reason": "string",
}
"""Arrow's types of the columns; any value that is not known is null."""


def to_parquet(table: WordTable) -> bytes:
    """The table as a Parquet file compressed with zstd."""
    import pyarrow as pa
    from pyarrow import parquet

    arrays = [pa.array(getattr(table, name), pa.type_for_alias(alias)) for name, alias in TYPES.items()]
    file = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=[*TYPES]), file, compression="zstd")
    return file.getvalue()


def from_parquet(data: bytes) -> WordTable:
    """The table that a file of `to_parquet` holds."""
    from pyarrow import parquet

    columns: dict[str, Any] = {
        name: tuple(values) for name, values in parquet.read_table(io.BytesIO(data)).to_pydict().items()
    }
    reasons = tuple(None if reason is None else Reason(reason) for reason in columns.pop("reason"))
    return WordTable(**columns, reason=reasons)
