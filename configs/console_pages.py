"""The settings of the console: the pages that reviewers and risk teams read, in the service itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.frozen import Count, Frozen


class ConsolePages(Frozen):
    """Whether there is a console, how long a session lasts, and how much of the machine its pages may take."""

    enabled: bool
    https: bool
    session_minutes: Count
    idle_minutes: Count
    sign_in_attempts: Count
    sign_in_minutes: Count
    threads: Annotated[int, Field(ge=1, le=32)]
    waiting: Count
    rows: Annotated[int, Field(ge=5, le=500)]
    search_records: Annotated[int, Field(ge=100)]
    recent_decisions: Count
