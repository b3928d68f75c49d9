"""Parquet tables: those that were accepted are read here, uploads in a child process that has little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...child_environment import without_secrets
from ...errors import ImportMalformed
from .limits import unpacked_bytes
from .unpacking import REFUSED, batches_of, columns_of, schema_of

_PROGRAM = f"{__package__}.unpacking"
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Nothing in the child reserves memory that it does not need."""


def parquet_columns(path: Path, max_bytes: int | None) -> tuple[str, ...]:
    """The names of the columns. Raises ImportMalformed."""
    return columns_of(path) if max_bytes is None else tuple(_in_a_child(path, None, max_bytes).schema.names)


def read_parquet(path: Path, types: Mapping[str, str], max_bytes: int | None) -> Any:
    """A pyarrow Table of these columns. Raises ImportMalformed, with `max_bytes` also where it unpacks to more."""
    import pyarrow as pa

    if max_bytes is None:
        return pa.Table.from_batches(batches_of(path, types, None), schema=schema_of(types))
    return _in_a_child(path, types, max_bytes)


def _in_a_child(path: Path, types: Mapping[str, str] | None, max_bytes: int) -> Any:
    import pyarrow as pa

    most = unpacked_bytes(path, max_bytes)
    asked = json.dumps({"path": str(path.absolute()), "types": types, "max_bytes": most}).encode()
    command, environment, pipe = [sys.executable, "-m", _PROGRAM], without_secrets() | _ENVIRONMENT, subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            with child.stdin:
                child.stdin.write(asked)
            table = pa.ipc.open_stream(child.stdout).read_all()
        except (BrokenPipeError, pa.ArrowInvalid):  # the child stopped: its exit status says why
            table = None
        child.stdout.close()
        said = child.stderr.read()
    if child.returncode == REFUSED:
        raise ImportMalformed(**json.loads(said))
    if child.returncode == 1:
        raise RuntimeError(f"the program that reads Parquet failed: {said[-1000:].decode(errors='replace')}")
    if child.returncode or table is None:
        raise ImportMalformed(
            f"the table cannot be unpacked with memory for {most} bytes",
            hint="write it with smaller row groups and shorter texts",
        )
    return table
