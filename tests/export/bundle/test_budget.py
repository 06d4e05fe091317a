"""The best model on dev within a time."""

import pytest

from export.benchmark.latency import Latency
from export.bundle import budget
from export.bundle.select import choose, corpus_of_results, dev_f1
from export.onnx.quantise import Quantised
from export.predictor import INT8, MODEL
from replicate.errors import NothingToExport


@pytest.fixture
def chosen(smoke_results, monkeypatch):
    """Choose within a budget, with times in place of measured ones, by arm and file."""
    choice = choose(smoke_results)
    corpus = corpus_of_results(smoke_results, choice.run)

    def run(milliseconds, **times):
        def latencies(files, calls):
            assert all(path.is_file() for path, _ in files.values())
            arms = {runs[0].record.model: arm.replace("-", "_") for arm, runs in reversed(choice.runs.items())}
            return {(config, name): Latency(times[arms[config]][name == INT8], 9.0) for config, name in files}

        monkeypatch.setattr(budget, "latencies", latencies)
        return budget.choose_within(choice, corpus, milliseconds)

    return choice, run


def _times(choice, slow=(9.0, 9.0), **others):
    return {arm.replace("-", "_"): slow for arm in choice.runs} | others


def test_the_best_arm_is_chosen_where_all_are_fast(chosen):
    choice, run = chosen
    fit = run(1, **_times(choice, (0.5, 0.25)))
    assert fit.choice.run is choice.run and fit.file == MODEL and fit.milliseconds == 0.5
    assert list(fit.within) == list(choice.mean_dev_f1) and "within 1 ms" in fit.choice.why


def test_a_worse_arm_is_chosen_where_only_it_is_fast_enough(chosen, monkeypatch):
    choice, run = chosen
    models = {arm: runs[0].record.model for arm, runs in choice.runs.items()}
    best = next(iter(models.values()))
    arm = next(name for name, model in models.items() if model != best)
    name = arm.replace("-", "_")
    fit = run(1, **_times(choice, **{name: (1.0, 9.0)}))
    assert fit.choice.run.record.model == models[arm] and fit.file == MODEL
    assert fit.choice.dev_f1 == max(map(dev_f1, choice.runs[fit.within[0]]))
    monkeypatch.setattr(budget.quantise, "compare", lambda *_: Quantised(0.5, 0.5))
    fit = run(1, **_times(choice, **{name: (2.0, 1.0)}))
    assert fit.file == INT8 and fit.milliseconds == 1.0
    monkeypatch.setattr(budget.quantise, "compare", lambda *_: Quantised(0.5, 0.25))
    with pytest.raises(NothingToExport, match=r"8-bit weights that lose more than 0\.005"):
        run(1, **_times(choice, **{name: (2.0, 1.0)}))


def test_the_fastest_is_named_where_none_is_fast_enough(chosen):
    choice, run = chosen
    with pytest.raises(NothingToExport, match=r"within 0.5 ms.*takes 9.00 ms: raise --budget-ms"):
        run(0.5, **_times(choice))
