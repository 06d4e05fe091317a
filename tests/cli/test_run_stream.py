"""`replicate run` prints each table once its runs are complete."""

import pytest

from replicate.store.store import Store


def is_of(store, path, arm):
    return store.record(path.parent.name).arm.name == arm


@pytest.mark.slow
def test_a_table_is_printed_before_the_runs_of_the_next_one(replicate, tmp_path, monkeypatch):
    from replicate.report import tables

    printed = []

    def show(result, console):
        printed.append((result.table.name, len(list((tmp_path / "runs").glob("[!.]*/run.json")))))
        show_table(result, console)

    show_table = tables.show
    monkeypatch.setattr(tables, "show", show)
    command = ("run", "table2", "table4", "--profile", "smoke", "--seeds", "24,", "--jobs", 1, "--out", tmp_path)
    first = replicate(*command)
    # Table 4 has 4 runs, 2 of which are in Table 2.
    assert first.status == 0 and printed == [("table4", 4), ("table2", 8)]
    titles = [first.stdout.index(title) for title in ("table4 on", "table2 on", "Self-test on the positive control")]
    assert titles == sorted(titles)
    files = {path: path.read_bytes() for path in tmp_path.glob("*/*/table*.*")}
    # After a resume, tables that are complete are printed first; files are the same.
    store = Store(tmp_path / "runs")
    (key,) = (path.parent.name for path in tmp_path.glob("runs/*/run.json") if is_of(store, path, "COGMEN-Mask-deep"))
    store.remove(key)
    printed.clear()
    second = replicate(*command)
    assert second.status == 0 and printed == [("table4", 7), ("table2", 8)]
    assert second.stdout == first.stdout
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*/table*.*")} == files
