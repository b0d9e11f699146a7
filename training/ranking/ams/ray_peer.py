"""A part that is a Ray actor, and a cluster for it on this machine."""

import logging
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

# Ray reads these variables when it is imported: no usage statistics; and a cluster on this machine alone listens on
# loopback and requires a token of this process.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
if not os.environ.get("RAY_ADDRESS"):
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
from ray.exceptions import GetTimeoutError, ObjectLostError, RayActorError

from .peer import CALL_TIMEOUT_S, Peer, PeerLost

# The smallest that holds a few batches of raw vectors.
OBJECT_STORE_BYTES: Final = 256 * 2**20


class RayPeer(Peer):
    """A Ray actor. Ray restarts it if it dies, but repeats no call: the trainer repeats steps.

    Args:
        name: Its name in the byte meter.
        kind: The class of the actor.
        arguments: Arguments of the class.
        options: Options of Ray, such as the resources of the node to run on.
    """

    def __init__(self, name: str, kind: type, *arguments: Any, **options: Any) -> None:
        super().__init__(name)
        actor: Any = ray.remote(kind).options(num_cpus=0, max_restarts=-1, max_task_retries=0, **options)
        self.actor: Any = actor.remote(*arguments)

    def wait(self, reference: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        try:
            return ray.get(reference, timeout=timeout_s)
        except (RayActorError, GetTimeoutError, ObjectLostError) as exc:
            raise PeerLost(f"{self.name}: {type(exc).__name__}") from exc

    def _call(self, method: str, arguments: Sequence[Any]) -> Any:
        return getattr(self.actor, method).remote(*arguments)


@contextmanager
def local_cluster() -> Iterator[None]:
    """Run a cluster on this machine and connect to it. Actors share its only core."""
    with tempfile.TemporaryDirectory(prefix="ams-", ignore_cleanup_errors=True) as folder:
        ray.init(
            "local",
            num_cpus=1,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            _temp_dir=folder,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:
            yield
        finally:
            ray.shutdown()
