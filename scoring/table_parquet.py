"""Tables behind scores as Parquet and back; pyarrow is loaded when the first one is written or read.

What belongs here: files that this program wrote itself. What does not: those of strangers (`subjects.imports`).
"""

from __future__ import annotations

import io
from typing import TypeVar

from .column_table import ColumnTable

AnyTable = TypeVar("AnyTable", bound=ColumnTable)


def to_parquet(table: ColumnTable) -> bytes:
    """The table as a Parquet file compressed with zstd; any value that is not known is null."""
    import pyarrow as pa
    from pyarrow import parquet

    arrays = [pa.array(getattr(table, name), pa.type_for_alias(alias)) for name, alias in table.TYPES.items()]
    file = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=[*table.TYPES]), file, compression="zstd")
    return file.getvalue()


def from_parquet(kind: type[AnyTable], data: bytes) -> AnyTable:
    """The table of this kind that a file of `to_parquet` holds."""
    from pyarrow import parquet

    columns = parquet.read_table(io.BytesIO(data)).to_pydict()
    return kind.of_columns({name: tuple(values) for name, values in columns.items()})
