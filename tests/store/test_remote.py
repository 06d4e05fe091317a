import pytest

from replicate.errors import CannotWrite, CorruptRun
from replicate.store.keys import run_key
from replicate.store.record import CHECKPOINT, RECORD
from replicate.store.remote import RemoteStore
from tests.small_runs import SPEC


@pytest.fixture(params=["folder", "file", "memory"])
def address(request, tmp_path):
    """Somewhere that two stores reach."""
    there = tmp_path / "there"
    return {"folder": str(there), "file": f"file://{there}", "memory": f"memory://{tmp_path.name}/runs"}[request.param]


@pytest.fixture
def key(corpus):
    return run_key(SPEC, corpus, "cpu")


@pytest.fixture
def sent(tmp_path, address, corpus, result, key):
    """A store that has sent its run to the address."""
    store = RemoteStore(tmp_path / "one", address)
    store.probe()
    store.put(key, SPEC, corpus, "cpu", result)
    return store


def test_a_run_completed_on_one_machine_is_found_on_another(tmp_path, address, sent, key):
    other = RemoteStore(tmp_path / "other", address)
    assert other.missing([key, "0" * 20]) == ["0" * 20]
    for path in (sent.root / key).iterdir():
        assert (other.root / key / path.name).read_bytes() == path.read_bytes()
    assert RemoteStore(tmp_path / "third", address).get(key).record == sent.get(key).record


def test_a_run_without_a_record_is_not_there_yet(tmp_path, sent, key):
    if "memory" in sent.address:
        pytest.skip("only files can be taken away by hand")
    (tmp_path / "there" / key / RECORD).unlink()
    other = RemoteStore(tmp_path / "other", sent.address)
    assert other.get(key) is None and other.missing([key]) == [key] and not other.root.exists()


def test_a_run_that_was_damaged_on_the_way_is_named(tmp_path, sent, key):
    if "memory" in sent.address:
        pytest.skip("only files can be damaged by hand")
    (tmp_path / "there" / key / CHECKPOINT).write_bytes(b"")
    with pytest.raises(CorruptRun, match=key):
        RemoteStore(tmp_path / "other", sent.address).get(key)


def test_a_run_that_is_damaged_at_the_address_can_be_repaired(tmp_path, sent, key, corpus, result):
    if "memory" in sent.address:
        pytest.skip("only files can be damaged by hand")
    (tmp_path / "there" / key / CHECKPOINT).write_bytes(b"")
    other = RemoteStore(tmp_path / "other", sent.address)
    assert other.missing([key], repair=True) == [key] and other.get(key) is None
    other.put(key, SPEC, corpus, "cpu", result)
    assert RemoteStore(tmp_path / "third", sent.address).get(key) is not None


@pytest.mark.parametrize("address", ["nonsense://bucket/runs", "/proc/no/such/place"])
def test_an_address_that_cannot_be_used_is_named(tmp_path, address):
    with pytest.raises(CannotWrite, match=address):
        RemoteStore(tmp_path / "one", address).probe()


def test_download_fetches_all_runs_once_and_nothing_else(tmp_path, address, sent, key):
    sent._try(lambda files, base: files.makedirs(f"{base}/notes", exist_ok=True))
    sent._try(lambda files, base: files.pipe_file(f"{base}/notes/{RECORD}", b"{}"))
    other = RemoteStore(tmp_path / "other", address)
    assert (other.download(), other.download()) == (1, 0)
    assert [path.name for path in other.root.glob("[!.]*")] == [key]
    assert other.get(key).record == sent.get(key).record
