"""Training on a Ray cluster: programs on any of its machines, which share the store and nothing else."""

from __future__ import annotations

import logging
import queue
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from replicate.config import folders
from replicate.corpus.types import Corpus
from replicate.errors import MissingEngine, WorkerDied
from replicate.runner.failures import FailedRuns
from replicate.runner.local import follow
from replicate.runner.progress import Progress, ProgressCallback
from replicate.runner.schedule import Outcome, Schedule
from replicate.runner.tasks import Program
from replicate.store.store import Store

# How often a program is started again after its process or machine died.
RETRIES = 3


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    Attributes:
        address: address of its head node, such as ``auto`` or ``10.0.0.1:6379``; None starts a cluster on this machine.
        gpu_share: share of a GPU that a program takes; with 0.5 or less, several programs share a GPU.
    """

    address: str | None = None
    gpu_share: float = 1.0


def run_all(
    programs: Sequence[Program],
    corpora: Mapping[str, Corpus],
    store: Store,
    device: str,
    cluster: Cluster,
    on_progress: ProgressCallback,
) -> FailedRuns:
    """Train and save every program on a cluster; see ``local.run_all``.

    A program whose worker or machine dies is started again on another one; completed runs stay in the store.

    Raises:
        MissingEngine: Ray is not installed, or no cluster answers. WorkerDied: the workers of a program died each time.
    """
    try:
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
    except ImportError as error:
        raise MissingEngine("Ray is not installed: run `pip install -e '.[ray]'` in the checkout") from error
    _connect(cluster)
    try:
        # The queue is on this process's machine, and ends with it.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        news = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        on_cluster: Any = ray.put(dict(corpora))
        needs = {"num_cpus": 1, "num_gpus": cluster.gpu_share if device == "cuda" else 0}
        train = ray.remote(_work).options(max_retries=RETRIES, **needs)

        def submit(program: Program) -> Future[Outcome]:
            return train.remote(program, on_cluster, store, device, news).future()

        schedule = Schedule(programs)
        follow(submit, schedule, _News(news), on_progress)
        return schedule.failed()
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        raise WorkerDied(
            f"the process of a run died {RETRIES + 1} times, perhaps because memory ran out: completed runs are kept; "
            "look at the cluster and run again"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from error
    finally:
        ray.shutdown()


def _connect(cluster: Cluster) -> None:
    import ray

    try:
        if cluster.address is not None and ":" in cluster.address.removeprefix("ray://"):
            # Ray itself waits for minutes where no cluster answers.
            host, _, port = cluster.address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(
            cluster.address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=_runtime_env(),
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        if "version mismatch" in reason.lower():
            raise MissingEngine(
                f"the Ray cluster at {cluster.address} has other versions: {reason} Install the same versions of Ray "
                "and Python here and there"
            ) from error
        where = f"no Ray cluster at {cluster.address}"
        raise MissingEngine(f"{where}: {reason}; start one with `ray start --head`") from error


def _runtime_env() -> dict[str, Any]:
    """Make workers import the user's plugins before they unpickle programs; the folders must be on their machines."""
    config_dirs = folders.current()
    return {"worker_process_setup_hook": lambda: folders.use(config_dirs)} if config_dirs else {}


class _News:
    """A queue on the cluster, read in batches: a request for each single item may take longer than an epoch."""

    def __init__(self, news: Any) -> None:
        self.news, self.read = news, deque[Progress]()

    def get(self, timeout: float) -> Progress:
        """Return the next item that has arrived.

        Raises:
            queue.Empty: no item has arrived; this method does not wait.
        """
        if not self.read:
            self.read.extend(self.news.get_nowait_batch(self.news.qsize()))
        if not self.read:
            raise queue.Empty
        return self.read.popleft()


def _work(program: Program, corpora: Mapping[str, Corpus], store: Store, device: str, news: Any) -> Outcome:
    from replicate.runner.worker import train_program

    return train_program(program, corpora[program.corpus], store, device, news.put)
