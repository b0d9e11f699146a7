"""What Python 3.10 lacks. Remove this module together with that version."""

import asyncio
import sys

if sys.version_info >= (3, 11):
    from typing import Self as Self
    from typing import Unpack as Unpack

    timeout = asyncio.timeout

    def is_being_cancelled() -> bool:
        """Whether someone cancelled the current task."""
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0

else:
    from collections.abc import AsyncIterator
    from contextlib import asynccontextmanager

    import async_timeout
    from typing_extensions import Self as Self
    from typing_extensions import Unpack as Unpack

    @asynccontextmanager
    async def _timeout(seconds: float) -> AsyncIterator[None]:
        """As `asyncio.timeout`, whose error is the builtin one."""
        try:
            async with async_timeout.timeout(seconds):
                yield
        except asyncio.TimeoutError as exc:
            raise TimeoutError from exc

    timeout = _timeout

    def is_being_cancelled() -> bool:
        """Unknown here."""
        return False
