"""The version of the installed package."""

from __future__ import annotations

from importlib import metadata

UNKNOWN = "0+unknown"
"""What a source tree that was never installed says."""


def package_version() -> str:
    """The version in the package's metadata."""
    try:
        return metadata.version("broca")
    except metadata.PackageNotFoundError:
        return UNKNOWN
