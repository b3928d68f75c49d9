"""Reading Parquet. As a program it does so with little memory and answers in Arrow's stream format on its output.

A few bytes of Parquet may unpack to any number of bytes, inside the library and before there is anything to count. So
an upload is read by a child process that the system stops. What belongs here: what runs in it; `parquet` calls it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import ImportMalformed, shown
from .limits import BYTES_OF_A_CELL, MAX_COLUMNS, MAX_ROWS, refuse_more

REFUSED = 3
"""Exit status with the reason as JSON on standard error."""

NO_MEMORY = 4
"""Exit status where the memory did not suffice."""

ROWS_AT_A_TIME = 1024
CELLS_AT_A_TIME = 2**22
ROOM_BYTES = 2**28
"""Memory for unpacking itself, beside three times what the table may have in the end."""
MAX_CPU_S = 600


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of the columns of a Parquet file. Raises ImportMalformed."""
    import pyarrow as pa

    try:
        with _opened(path) as file:
            refuse_more(file.metadata.num_columns, MAX_COLUMNS, "columns")
            return tuple(file.schema_arrow.names)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ImportMalformed("the file is not a Parquet table") from error


def batches_of(path: Path, types: Mapping[str, str], max_bytes: int | None) -> Iterator[Any]:
    """Some columns of a Parquet file as Arrow's record batches of these types, by name. Raises ImportMalformed."""
    import pyarrow as pa

    try:
        with _opened(path) as file:
            yield from _batches(file, types, max_bytes)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ImportMalformed(
            "a column does not hold what it has to", hint=f"the types that are expected: {_shown_types(types)}"
        ) from error


def schema_of(types: Mapping[str, str]) -> Any:
    """Arrow's schema of columns whose types are named."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in types.items()])


def _opened(path: Path) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path, pre_buffer=False)


def _batches(file: Any, types: Mapping[str, str], max_bytes: int | None) -> Iterator[Any]:
    import pyarrow as pa

    schema, found, names = schema_of(types), file.schema_arrow, list(types)
    for name in names:
        if pa.types.is_nested(found.field(name).type):
            raise ImportMalformed(f"the column {shown(name)} holds lists or records, not a value in each row")
    n_rows, n_bytes = file.metadata.num_rows, 0
    if max_bytes is not None:
        refuse_more(n_rows, MAX_ROWS, "rows")
        _refuse_unpacked(n_rows * len(names) * BYTES_OF_A_CELL, max_bytes)
    size = max(1, min(ROWS_AT_A_TIME, CELLS_AT_A_TIME // len(names)))
    n_rows = 0
    for batch in file.iter_batches(batch_size=size, columns=names, use_threads=False):
        chosen = batch.select(names).cast(schema)
        n_bytes, n_rows = n_bytes + chosen.nbytes, n_rows + chosen.num_rows
        if max_bytes is not None:
            refuse_more(n_rows, MAX_ROWS, "rows")
            _refuse_unpacked(n_bytes, max_bytes)
        yield chosen


def _refuse_unpacked(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise ImportMalformed(
            f"the table unpacks to more than {max_bytes} bytes",
            hint="BROCA_MAX_IMPORT_BYTES bounds what a file may unpack to, and so does the size of the file",
        )


def _shown_types(types: Mapping[str, str]) -> str:
    pairs = [f"{shown(name)} {alias}" for name, alias in types.items()]
    return ", ".join(pairs[:8]) + (" …" if len(pairs) > 8 else "")


def _limit(max_bytes: int) -> None:
    """Bound this process' memory and time from here on, where the system can."""
    import resource

    statm = Path("/proc/self/statm")
    held = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 2**29
    for what, asked in ((resource.RLIMIT_AS, held + ROOM_BYTES + 3 * max_bytes), (resource.RLIMIT_CPU, MAX_CPU_S)):
        most = resource.getrlimit(what)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (asked if most == resource.RLIM_INFINITY else min(asked, most), most))


def _answer(path: Path, types: Mapping[str, str] | None, max_bytes: int) -> None:
    """Write the columns, or with `types` None only their names, to standard output."""
    import pyarrow as pa

    if types is None:
        with pa.ipc.new_stream(sys.stdout.buffer, pa.schema([(name, pa.null()) for name in columns_of(path)])):
            return
    with pa.ipc.new_stream(sys.stdout.buffer, schema_of(types)) as stream:
        for batch in batches_of(path, types, max_bytes):
            stream.write_batch(batch)


def main() -> int:
    """Read what standard input asks for, and answer; the exit status says how it went."""
    asked = json.load(sys.stdin)
    import pyarrow.parquet  # noqa: F401  (loaded before memory is bounded)

    _limit(asked["max_bytes"])
    try:
        _answer(Path(asked["path"]), asked["types"], asked["max_bytes"])
    except ImportMalformed as error:
        json.dump({"detail": error.detail, "hint": error.hint}, sys.stderr)
        return REFUSED
    except MemoryError:
        return NO_MEMORY
    except BrokenPipeError:
        return 1
    except Exception as error:  # whatever the library says of bytes that were made to break it
        json.dump({"detail": f"the file is not a Parquet table: {type(error).__name__}", "hint": None}, sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
