"""The harness finds what a kill may leave, and a few kills leave nothing."""

import json

import numpy as np
import pytest

from replicate.files import atomic_folder, write_text
from tests.kill.harness import contents, differences, kill_often, supported
from tests.kill.scenarios import SCENARIOS
from tests.kill.watch import Watch, half_written


def test_a_file_that_differs_is_found_but_times_are_not(tmp_path):
    for name, seconds, score in (("one", 1.5, 3), ("two", 2.5, 3), ("three", 2.5, 4)):
        folder = tmp_path / name
        (folder / ".locks").mkdir(parents=True)
        (folder / ".locks" / name).write_text("")
        (folder / f".{name}").write_text("half")
        (folder / "run.json").write_text(json.dumps({"runs": [{"seconds": seconds, "score": score}]}))
        page = f"<dd>{seconds} s, sum of all runs</dd><p>{score}</p>"
        (folder / "index.html").write_text(page)
        np.savez(folder / "arrays.npz", a=np.arange(score))
    one, two, three = (contents(tmp_path / name) for name in ("one", "two", "three"))
    assert differences(one, two, []) == [] and set(one) == {"run.json", "arrays.npz", "index.html"}
    assert differences(one, three, []) == ["arrays.npz differs", "index.html differs", "run.json differs"]
    assert differences(one, three, ["run.json"]) == ["arrays.npz differs", "index.html differs"]
    assert differences(one, {"other": ""}, []) == [
        "arrays.npz is missing",
        "index.html is missing",
        "run.json is missing",
        "other is additional",
    ]


@pytest.mark.skipif(not supported(), reason="inotify is on Linux only")
def test_what_is_written_is_seen_however_short_it_takes(tmp_path):
    with Watch(tmp_path) as watch:
        (tmp_path / "results" / ".locks").mkdir(parents=True)
        (tmp_path / "results" / ".locks" / "a").write_text("")
        (tmp_path / "plain.csv").write_text("")
        assert watch.changes(0) == 0
        write_text(tmp_path / "results" / "table.md", "content")
        assert watch.changes(0) >= 2  # made, and modified
        with atomic_folder(tmp_path / "results" / "run") as folder:
            (folder / "record.json").write_text("{}")
            assert watch.changes(0) >= 2 and half_written(tmp_path)
        assert not half_written(tmp_path) and watch.changes(0) == 0


@pytest.mark.slow
@pytest.mark.skipif(not supported(), reason="processes of a command are found on Linux only")
@pytest.mark.parametrize("name", ["convert", "run"])
def test_a_few_kills_leave_nothing(tmp_path, name):
    summary = kill_often(SCENARIOS[name], tmp_path, kills=2, seed=1)
    assert summary.failures == [] and summary.kills == 2
