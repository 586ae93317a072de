"""Shows the answers again whenever they change, while a stream runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pinlake.gold.tables import ordered
from pinlake.show.views import accounting

if TYPE_CHECKING:
    from pinlake.lake.lake import Lake

_MINUTE = 60.0
_EVERY = 2.0


def watch(
    lake: Lake,
    display: Callable[[Any], object],
    answers: Sequence[str],
    seconds: float | None = None,
    clear: Callable[[], object] | None = None,
) -> None:
    """Show the accounting and these answers, again after every run that was counted, for `seconds`, else a minute.

    `display` shows a DataFrame, `clear` takes away what was shown before; by default what IPython has. Raises
    LakeError where no run was counted yet, UsageError for an unknown answer.
    """
    clear = clear or _clear
    lake.require("row_count", "run")
    deadline = time.monotonic() + (_MINUTE if seconds is None else seconds)
    shown: str | None = None
    while True:
        state = lake.state("row_count")
        if state != shown:
            frames = [accounting(lake), *[ordered(lake, name) for name in answers]]
            clear()
            for frame in frames:
                display(frame)
            shown = state
        if time.monotonic() + _EVERY > deadline:
            return
        time.sleep(_EVERY)


def _clear() -> None:
    from IPython.display import clear_output

    clear_output(wait=True)  # type: ignore[no-untyped-call]
