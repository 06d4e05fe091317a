from replicate import grids


def test_columns_are_two_spaces_apart_and_never_cut():
    long = "x" * 300
    lines = grids.columns([("key", "F1", "arm"), ("a", "0.5", long), ("bcde", "10", "")], [1])
    assert lines == ["key    F1  arm", f"a     0.5  {long}", "bcde   10"]


def test_no_lines_are_no_columns():
    assert grids.columns([]) == []
