"""The commands of the page on file formats run on the runs of a small table."""

from .conftest import lines


def test_the_commands_run(replicate, smoke_out, tmp_path, monkeypatch):
    (tmp_path / "results").symlink_to(smoke_out)
    monkeypatch.chdir(tmp_path)
    key = sorted(path.name for path in (smoke_out / "runs").glob("[0-9a-f]*"))[0]
    for _, *words in lines("formats.md"):
        done = replicate(*(key if word == "KEY" else word for word in words))
        assert done.status == 0, (words, done.stderr)
