"""Trains on a Ray cluster: programs anywhere in it, teachers before students. They share the store and nothing else."""

from __future__ import annotations

import logging
import queue
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from replicate.corpus.types import Corpus
from replicate.errors import MissingEngine, WorkerDied
from replicate.runner.local import follow
from replicate.runner.tasks import Task, units
from replicate.runner.worker import Progress, ProgressCallback, Unit, train_unit
from replicate.store.store import Store

# How often a program is started again whose process or machine died.
RETRIES = 3


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    Attributes:
        address: of its head, such as ``auto`` or ``10.0.0.1:6379``; None starts one on this machine alone.
        gpu_share: part of a GPU that a program takes; programs share a GPU with 0.5 or less.
    """

    address: str | None = None
    gpu_share: float = 1.0


def run_all(
    tasks: Sequence[Task],
    corpora: Mapping[str, Corpus],
    store: Store,
    device: str,
    cluster: Cluster,
    listen: ProgressCallback,
) -> None:
    """Train and store every run of ``tasks`` on a cluster; see ``schedule.run_all``.

    A program whose worker or machine dies is started again elsewhere; what is stored stays.

    Raises:
        MissingEngine: Ray is not installed, or no cluster answers. WorkerDied: the workers of a program died each time.
    """
    try:
        import ray
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
    except ImportError as error:
        raise MissingEngine(
            "Ray is not installed: run `make setup`, or `pip install -e '.[ray]'` in a checkout"
        ) from error
    try:
        if cluster.address is not None and ":" in cluster.address.removeprefix("ray://"):
            # Ray itself waits for minutes where nobody listens.
            host, _, port = cluster.address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(cluster.address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        where = f"no Ray cluster at {cluster.address}"
        raise MissingEngine(f"{where}: {error}; start one with `ray start --head`") from error
    try:
        # The queue lives and dies with this process's machine.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        news = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        given: Any = ray.put(dict(corpora))
        needs = {"num_cpus": 1, "num_gpus": cluster.gpu_share if device == "cuda" else 0}
        work = ray.remote(_work).options(max_retries=RETRIES, **needs)

        def submit(unit: Unit) -> Future[bool]:
            return work.remote(unit, given, store, device, news).future()

        follow(submit, units(tasks), _Arrived(news), listen)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        raise WorkerDied(
            f"the process of a run died {RETRIES + 1} times, perhaps for want of memory: finished runs are kept; "
            "look at the cluster and run again"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from error
    finally:
        ray.shutdown()


class _Arrived:
    """A queue of the cluster, read in one go: asking it for every single item takes longer than an epoch may."""

    def __init__(self, news: Any) -> None:
        self.news, self.read = news, deque[Progress]()

    def get(self, timeout: float) -> Progress:
        """The next item that has arrived.

        Raises:
            queue.Empty: there is none; it does not wait.
        """
        if not self.read:
            self.read.extend(self.news.get_nowait_batch(self.news.qsize()))
        if not self.read:
            raise queue.Empty
        return self.read.popleft()


def _work(unit: Unit, corpora: Mapping[str, Corpus], store: Store, device: str, news: Any) -> bool:
    return train_unit(unit, corpora[unit[0].corpus], store, device, news.put)
