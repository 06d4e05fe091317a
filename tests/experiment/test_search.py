"""Searches over two corpora whose privileged streams differ, with planted runs."""

from dataclasses import replace

import pytest

from replicate.corpus.archive import write
from replicate.errors import InvalidArgument, MissingStream, TrainingFailed
from replicate.experiment.search import CorporaSearch
from replicate.store.run import Run
from tests.experiment.builders import prepare as prepare_command
from tests.planted import put
from tests.small_runs import small_corpus

SEARCH = """
[mine]
title = "Mine"
rows = ["COGMEN-A", "COGMEN-Mask"]
seeds = [7, 8]
finalists = 1
final_seeds = [9]

[[mine.candidates]]
name = "audio"
arm = "COGMEN-A"
grid = { dropout = [0.1, 0.3] }

[[mine.candidates]]
name = "masks"
arm = "COGMEN-Mask"
grid = { "masking.unit" = ["utterance", "dialogue"] }
"""
# Numbers of the candidates; 0 is the baseline.
MASKS, AUDIO, DIALOGUE = 1, 2, 3


def with_text():
    """The small corpus under another name, with text in the place of video."""
    source = small_corpus()
    dialogues = (
        replace(each, features={"audio": each.features["audio"], "text": each.features["visual"]})
        for each in source.dialogues
    )
    return replace(source, name="spoken", dialogues=tuple(dialogues))


@pytest.fixture(autouse=True)
def _small_search(tables_folder):
    (tables_folder / "search.toml").write_text(SEARCH)


@pytest.fixture
def prepared(tmp_path):
    return prepare(tmp_path, (small_corpus(), with_text()))


def prepare(tmp_path, corpora, trials=0, **options):
    commands = []
    for corpus in corpora:
        write(corpus, tmp_path / f"{corpus.name}.npz")
        commands.append(prepare_command(tmp_path / "out", (), tmp_path / f"{corpus.name}.npz", **options))
    plans = [command.plan for command in commands]
    return CorporaSearch.prepare("mine", trials, plans, commands[0].context, own_seeds="seeds" not in options)


def plant(stage, wrong):
    """Complete the runs of a stage; ``wrong`` gives the mistakes on dev by candidate and corpus."""
    for plan, own in zip(stage.plans, stage.candidates, strict=True):
        for each in own:
            for seed in plan.seeds:
                spec = plan.run_of(each.trial.arm, each.trial.protocol, seed)
                mistakes = wrong[each.number][stage.plans.index(plan)]
                put(stage.context.store, spec, plan.corpus, {"dev": mistakes, "test": 2})


def test_runs_have_the_streams_of_their_corpus_and_the_seeds_of_the_search(prepared):
    assert [each.words for each in prepared.candidates[0]] == [
        "COGMEN-A: unchanged", "masks: unchanged", "audio: dropout=0.3", "masks: masking.unit=dialogue",
    ]  # fmt: skip
    tasks = prepared.graph.tasks.values()
    assert len(tasks) == 4 * 2 * 2 and {task.spec.seed for task in tasks} == {7, 8}
    for plan, context in zip(prepared.plans, ("AV", "AT"), strict=True):
        of_corpus = [task.spec.arm for task in tasks if task.corpus == plan.corpus.hash]
        assert {arm.train for arm in of_corpus if arm.masked} == {context}


def test_the_first_line_states_the_budget(prepared):
    assert prepared.describe(16) == (
        "search mine on small and spoken: 3 of 3 candidates and COGMEN-A, 2 seeds (7, 8), 2 corpora: 16 runs and 0 of "
        "teachers; then the best 1 of audio alone and the best 1 with privileged streams, 1 more seeds; 0 completed, "
        "16 to train (2 epochs each, cpu, 1 at a time)"
    )


def test_the_best_mean_gain_over_corpora_is_first(prepared):
    # Dialogue masks are best on one corpus only; dropout is best on average.
    plant(prepared, {0: (1, 1), MASKS: (2, 2), AUDIO: (0, 1), DIALOGUE: (0, 3)})
    result = prepared.result()
    assert [gain.candidate.number for gain in result.ranked] == [AUDIO, 0, DIALOGUE, MASKS]
    best, baseline, dialogue, _ = result.ranked
    assert baseline.by_corpus == (0, 0) and baseline.mean == 0
    f1 = baseline.dev[0][0]
    assert 0 < f1 < 1 and best.dev == ((1, 1), (f1, f1))
    assert best.by_corpus == (1 - f1, 0) and best.mean == (1 - f1) / 2
    assert dialogue.by_corpus == (1 - f1, -f1)
    assert result.tuned is best and result.recipe is dialogue


def test_test_is_never_looked_at(prepared, monkeypatch):
    plant(prepared, dict.fromkeys(range(4), (1, 1)))
    read = set()
    for name in ("log_prob", "labels"):
        original = getattr(Run, name)

        def method(run, split, *context, original=original):
            read.add((split, *context))
            return original(run, split, *context)

        monkeypatch.setattr(Run, name, method)
    result = prepared.result()
    assert read == {("dev",), ("dev", "A")}
    # Of equally good candidates the first one is selected, which is the baseline.
    assert result.tuned.candidate.number == 0 and result.recipe.candidate.number == MASKS


def test_the_best_of_both_kinds_are_trained_from_more_seeds(prepared):
    wrong = {0: (1, 1), MASKS: (2, 2), AUDIO: (0, 1), DIALOGUE: (0, 3)}
    plant(prepared, wrong)
    final = prepared.finals(prepared.result())
    assert [[each.number for each in own] for own in final.candidates] == [[0, AUDIO, DIALOGUE]] * 2
    assert final.seeds == (7, 8, 9)
    todo = final.context.missing(final.graph)
    assert len(todo) == 3 * 2 and {task.spec.seed for task in todo} == {9}
    assert final.describe(6).startswith(
        "search mine on small and spoken: 2 finalists and COGMEN-A, 3 seeds (7, 8, 9), 2 corpora: 18 runs and 0 of "
        "teachers; 12 completed, 6 to train"
    )
    plant(final, {0: (3, 3), AUDIO: (3, 3), DIALOGUE: (0, 0)})  # runs of the first seeds stay as they are
    result = final.result()
    assert [gain.candidate.number for gain in result.ranked] == [DIALOGUE, AUDIO, 0]
    assert final.finals(result) is None


def test_a_search_may_choose_at_once(tmp_path, tables_folder):
    (tables_folder / "search.toml").write_text(SEARCH.replace("finalists = 1\nfinal_seeds = [9]\n", ""))
    search = prepare(tmp_path, (small_corpus(),))
    plant(search, dict.fromkeys(range(4), (1,)))
    assert search.finals(search.result()) is None and "then" not in search.describe(0)


def test_seeds_of_the_command_replace_those_of_the_search(tmp_path):
    search = prepare(tmp_path, (small_corpus(),), trials=1, seeds="9,5")
    assert search.seeds == (9, 5) and len(search.graph.tasks) == 4
    plant(search, dict.fromkeys(range(2), (1,)))
    # 9 is a final seed already.
    assert search.finals(search.result()).seeds == (9, 5)


def test_candidates_whose_runs_failed_are_not_ranked(prepared):
    plant(prepared, dict.fromkeys(range(4), (1, 1)))
    lost = prepared.keys(prepared.candidates[0][MASKS])[-1]
    prepared.context.store.remove(lost)
    result = prepared.result({lost})
    assert [gain.candidate.number for gain in result.ranked] == [0, AUDIO, DIALOGUE]
    with pytest.raises(TrainingFailed, match="COGMEN-A could not be trained"):
        prepared.result({prepared.keys(prepared.candidates[0][0])[0]})


def test_a_corpus_that_is_given_twice_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="the same corpus twice"):
        prepare(tmp_path, (small_corpus(), small_corpus()))


def test_a_corpus_without_privileged_streams_is_refused(tmp_path):
    audio = [replace(each, features={"audio": each.features["audio"]}) for each in small_corpus().dialogues]
    speech = replace(small_corpus(), name="speech", dialogues=tuple(audio))
    with pytest.raises(MissingStream, match="no stream is privileged"):
        prepare(tmp_path, (small_corpus(), speech))
