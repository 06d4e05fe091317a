"""The task graph on a real Ray cluster of several nodes, all of them processes of this machine."""

import contextlib
import time
from dataclasses import replace

import psutil
import pytest

from replicate.errors import MissingEngine
from replicate.runner import ray as cluster
from replicate.runner.local import run_all
from replicate.runner.ray import Cluster
from replicate.store.record import CHECKPOINT
from replicate.store.store import Store
from tests.small_runs import SPEC, STUDENT, listed, of, programs, seeds

ray = pytest.importorskip("ray", reason="needs the extra [ray]")
FAMILY = [of(arm, seed) for seed in (24, 25) for arm in (STUDENT, SPEC.arm)]


@pytest.fixture(scope="module")
def nodes():
    """A cluster whose head trains nothing, and two nodes with a core each."""
    from ray.cluster_utils import Cluster as LocalCluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        made = LocalCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
        with contextlib.suppress(Exception):
            made.shutdown()


def train(nodes, store, corpus, specs, on_progress=lambda progress: None):
    tasks = listed(specs, corpus)
    cluster.run_all(programs(specs, corpus), {corpus.hash: corpus}, store, "cpu", Cluster(nodes.address), on_progress)
    return [(store.root / task.key / CHECKPOINT).read_bytes() for task in tasks]


def crash(nodes):
    """Take a node away with all of its processes."""
    victim = next(iter(nodes.worker_nodes))
    raylet = psutil.Process(victim.all_processes["raylet"][0].process.pid)
    for process in (*raylet.children(recursive=True), raylet):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return victim


@pytest.mark.slow
def test_a_cluster_gives_the_bits_of_one_process_also_when_a_node_dies(nodes, corpus, tmp_path):
    alone = Store(tmp_path / "alone")
    run_all(programs(FAMILY, corpus), {corpus.hash: corpus}, alone, "cpu", 1, lambda progress: None)
    expected = [(alone.root / task.key / CHECKPOINT).read_bytes() for task in listed(FAMILY, corpus)]
    news = []
    assert train(nodes, Store(tmp_path / "cluster"), corpus, FAMILY, news.append) == expected
    reported = [(p.task.spec.arm.name, p.task.spec.seed) for p in news if p.epoch is None]
    assert sorted(reported) == sorted((task.spec.arm.name, task.spec.seed) for task in listed(FAMILY, corpus))
    assert {p.epoch.epoch for p in news if p.epoch} == {1, 2}

    # Long runs, one on each node; a node is killed once both train.
    long = [replace(spec, budget=replace(spec.budget, epochs=600)) for spec in seeds(24, 25)]
    run_all(programs(long, corpus), {corpus.hash: corpus}, alone, "cpu", 1, lambda progress: None)
    expected = [(alone.root / task.key / CHECKPOINT).read_bytes() for task in listed(long, corpus)]
    begun, killed = set(), []

    def on_progress(progress):
        begun.add(progress.task.spec.seed)
        if not killed and len(begun) == 2 and progress.epoch:
            killed.append(crash(nodes))

    news = []
    store = Store(tmp_path / "broken")
    assert train(nodes, store, corpus, long, lambda p: (news.append(p), on_progress(p))) == expected
    assert killed
    # The run of the dead node began anew, the other one did not.
    began = sorted(p.task.spec.seed for p in news if p.epoch and p.epoch.epoch == 1)
    assert began in ([24, 24, 25], [24, 25, 25])


@pytest.mark.slow
def test_a_run_that_diverges_fails_alone(nodes, corpus, store):
    wild = replace(SPEC, budget=replace(SPEC.budget, learning_rate=1e30))
    (failed,) = cluster.run_all(
        programs([wild, *seeds(25)], corpus),
        {corpus.hash: corpus},
        store,
        "cpu",
        Cluster(nodes.address),
        lambda progress: None,
    )
    assert (failed.name, failed.kind) == ("speech, seed 24", "diverged")
    assert store.keys() == [task.key for task in listed(seeds(25), corpus)]


def test_no_cluster_is_an_error(corpus, store):
    began = time.monotonic()
    with pytest.raises(MissingEngine, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        cluster.run_all(programs([SPEC], corpus), {}, store, "cpu", Cluster("127.0.0.1:1"), lambda progress: None)
    assert time.monotonic() - began < 60


def test_a_cluster_of_another_version_is_not_called_missing(corpus, store, monkeypatch):
    def init(*arguments, **options):
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10.2\n")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(MissingEngine) as raised:
        cluster.run_all(programs([SPEC], corpus), {}, store, "cpu", Cluster("auto"), lambda progress: None)
    message = str(raised.value)
    assert "has other versions" in message and "Ray: 2.9.0" in message and "\n" not in message
    assert "ray start" not in message and "Install the same versions" in message
