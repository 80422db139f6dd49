"""Waiting for what is to happen: it ends with the event, and only a hang takes all its time.

How long a machine takes says nothing about the program: one that does ten other things at a time
takes ten times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after which nothing more is to be expected.
PATIENCE = 60.0


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait until something holds; return whether it does."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
