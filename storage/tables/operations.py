"""Tables of how the service itself does."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class TallyRow(Base):
    """How often something has happened since the database was made, or how many seconds it took in all.

    Written every few seconds by each process with what it counted since, so that no transaction of a job waits for it.
    """

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float] = mapped_column(sa.Double())
