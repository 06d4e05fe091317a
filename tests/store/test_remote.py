from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from replicate.errors import CannotWrite, CorruptRun, DiskFull
from replicate.store.keys import run_key
from replicate.store.record import CHECKPOINT, PREDICTIONS, RECORD
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


@pytest.mark.parametrize("name", [CHECKPOINT, PREDICTIONS, RECORD])
def test_a_run_that_lacks_a_file_at_the_address_is_trained_again(tmp_path, sent, key, corpus, result, name):
    sent._try(lambda files, base: files.rm_file(f"{base}/{key}/{name}"))
    other = RemoteStore(tmp_path / "other", sent.address)
    assert other.get(key) is None and other.missing([key]) == [key] and other.missing([key], remove=False) == [key]
    assert other.download() == 0 and not other.root.exists()
    other.put(key, SPEC, corpus, "cpu", result)
    assert RemoteStore(tmp_path / "third", sent.address).missing([key]) == []


def test_a_run_that_disappears_while_it_is_downloaded_names_the_address(tmp_path, sent, key, monkeypatch):
    def get_file(self, source, target, **options):
        raise FileNotFoundError(2, "No such file or directory", source)

    monkeypatch.setattr(type(fsspec.core.url_to_fs(sent.address)[0]), "get_file", get_file)
    other = RemoteStore(tmp_path / "other", sent.address)
    with pytest.raises(CannotWrite, match=f"cannot use {sent.address}: .*{key}"):
        other.get(key)
    assert other.keys() == []


def test_damage_at_the_address_is_named_there_and_not_kept_in_the_cache(tmp_path, sent, key):
    sent._try(lambda files, base: files.pipe_file(f"{base}/{key}/{CHECKPOINT}", b""))
    other = RemoteStore(tmp_path / "other", sent.address)
    for _ in range(2):
        with pytest.raises(CorruptRun, match=f"run folder {sent.address}/{key} is damaged"):
            other.missing([key])
    assert not (other.root / key).exists()
    sent._send(key)  # another machine has repaired it
    assert other.missing([key]) == []


def test_a_run_that_was_not_uploaded_is_uploaded_by_the_next_command(tmp_path, sent, key):
    sent._try(lambda files, base: files.rm(f"{base}/{key}", recursive=True))
    assert sent.missing([key], remove=False) == [] and sent._keys() == set()
    sent.upload([key, "0" * 20])
    assert RemoteStore(tmp_path / "other", sent.address).get(key) is not None


def test_what_does_not_write_makes_nothing(tmp_path):
    store = RemoteStore(tmp_path / "here", f"file://{tmp_path}/there")
    assert store.missing(["0" * 20]) == ["0" * 20] and store.keys() == [] and store.download() == 0
    store.upload(["0" * 20])
    assert list(tmp_path.iterdir()) == []


class Bucket(MemoryFileSystem):
    """A file system whose operations in ``denied`` raise ``error``."""

    protocol = "bucket"
    cachable = False
    error: Exception = PermissionError("Access Denied")
    denied: tuple[str, ...] = ()

    def makedirs(self, path, exist_ok=False):
        if "makedirs" in self.denied:
            raise self.error

    def glob(self, path, **options):
        if "glob" in self.denied:
            raise self.error
        return super().glob(path, **options)

    def put_file(self, source, target, **options):  # as that of S3, it makes no folder
        self.pipe_file(target, Path(source).read_bytes())

    def pipe_file(self, path, value, **options):
        if "pipe_file" in self.denied:
            raise self.error
        super().pipe_file(path, value, **options)


@pytest.fixture
def bucket(monkeypatch):
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    yield monkeypatch
    Bucket.store.clear()


def test_a_bucket_that_may_be_written_but_not_made_is_used(tmp_path, bucket, key, corpus, result):
    bucket.setattr(Bucket, "denied", ("makedirs",))
    store = RemoteStore(tmp_path / "one", "bucket://own/runs")
    store.probe()
    store.put(key, SPEC, corpus, "cpu", result)
    assert RemoteStore(tmp_path / "other", "bucket://own/runs").missing([key]) == []


class NoCredentialsError(Exception):
    """As botocore has it: not an OSError."""


class EndpointConnectionError(Exception):
    """As botocore has it."""


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError("Unable to locate credentials"), "give the credentials"),
        (EndpointConnectionError("Could not connect to the endpoint URL:\n x"), "check the network"),
        (PermissionError("Access Denied"), "check what its credentials allow"),
        (ImportError("Install s3fs to access S3"), "install what it names"),
        (KeyError(), "fsspec"),
    ],
)
@pytest.mark.parametrize("denied", ["glob", "pipe_file"])
def test_an_error_of_the_file_system_is_one_line_with_advice(tmp_path, bucket, error, advice, denied):
    bucket.setattr(Bucket, "denied", ("makedirs", denied))
    bucket.setattr(Bucket, "error", error)
    store = RemoteStore(tmp_path / "one", "bucket://own/runs")
    with pytest.raises(CannotWrite) as raised:
        store.missing(["0" * 20]) if denied == "glob" else store.probe()
    message = str(raised.value)
    assert "bucket://own/runs" in message and advice in message and "\n" not in message


def test_a_full_disk_is_no_fault_of_the_address(tmp_path, sent, key, monkeypatch):
    def get_file(self, source, target, **options):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(type(fsspec.core.url_to_fs(sent.address)[0]), "get_file", get_file)
    with pytest.raises(DiskFull):
        RemoteStore(tmp_path / "other", sent.address).get(key)
