"""Fixtures of several test folders: complete smoke tables, recordings, and the command line as a function."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import torch

from replicate import registry
from replicate.cli import main
from replicate.config import folders
from tests.golden_files import golden, pytest_addoption  # noqa: F401  (found by pytest here)

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

    from export.bundle.bundle import Bundle


# A shell that starts the tests in the background makes them ignore Ctrl-C, and with them the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Outcome(NamedTuple):
    """Exit code and output of a command."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Matrix products this small are slower with several threads."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_plugins_left() -> Iterator[None]:
    """Forget after every test its ``--config-dir`` folders and what it has registered."""
    with registry.temporary():
        yield
        folders.use([])


@pytest.fixture
def replicate(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Run the command line in this process."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return Outcome(int(exit_.value.code or 0), *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def _shared_results_stay_as_they_are() -> Iterator[None]:
    """Fail the test that writes into the shared results: another one would fail in its place, and not always."""
    yield
    for out, before in _SHARED.items():
        assert _manifests(out) == before, f"this test wrote into {out}, which other tests read: run it on a copy"


_SHARED: dict[Path, dict[Path, int]] = {}


def _manifests(out: Path) -> dict[Path, int]:
    """Return when each manifest in an --out folder was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*/manifest.json")}


@pytest.fixture(scope="session")
def smoke_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The --out folder of a complete smoke table with two seeds; do not write into it."""
    out = tmp_path_factory.mktemp("smoke") / "results"
    with pytest.raises(SystemExit) as exit_:
        main(["run", "table2", "--profile", "smoke", "--jobs", "1", "--out", str(out)])
    assert exit_.value.code == 0
    _SHARED[out] = _manifests(out)
    return out


@pytest.fixture(scope="session")
def smoke_results(smoke_out: Path) -> Path:
    """The results folder of ``smoke_out``."""
    return smoke_out / "synthetic-tiny" / "smoke-paper"


@pytest.fixture(scope="session")
def smoke_bundle(smoke_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of the smoke table's best speech-only model; do not write into it."""
    from export.bundle import bundle
    from export.bundle.select import choose, corpus_of_results

    choice = choose(smoke_results)
    corpus = corpus_of_results(smoke_results, choice.run)
    return bundle.write(choice, corpus, tmp_path_factory.mktemp("export") / "bundle")


@pytest.fixture(scope="session")
def causal_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the complete extra tables with one seed; do not write into it."""
    out = tmp_path_factory.mktemp("causal") / "results"
    with pytest.raises(SystemExit) as exit_:
        main(["run", "causal", "context", "--profile", "smoke", "--seeds", "24,", "--jobs", "1", "--out", str(out)])
    assert exit_.value.code == 0
    _SHARED[out] = _manifests(out)
    return out / "synthetic-tiny" / "smoke-paper"


@pytest.fixture(scope="session")
def causal_bundle(causal_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of a causal model that was trained on audio and video; do not write into it."""
    from export.bundle import bundle
    from export.bundle.select import choose, corpus_of_results

    choice = choose(causal_results, "COGMEN-Mask-causal")
    corpus = corpus_of_results(causal_results, choice.run)
    return bundle.write(choice, corpus, tmp_path_factory.mktemp("causal export") / "bundle")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ``shared/data`` next to the checkout, or below ``$REPLICATE_SHARED``."""
    shared = Path(os.environ.get("REPLICATE_SHARED") or Path(__file__).parents[2] / "shared")
    if not (shared / "data").is_dir():
        pytest.skip(f"{shared / 'data'} is not there: set REPLICATE_SHARED to run the tests on real files")
    return shared / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of five recordings with their table."""
    from tests.recordings import write_folder  # slow to import

    return write_folder(tmp_path / "folder")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A small copy of the IEMOCAP release."""
    from tests.recordings import write_release

    return write_release(tmp_path / "IEMOCAP_full_release")


@pytest.fixture(scope="session")
def hubert_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with the architecture of hubert-large; do not write into it."""
    from tests.recordings import save_hubert

    return save_hubert(tmp_path_factory.mktemp("layer") / "model", "layer")


@pytest.fixture(scope="session")
def hubert_group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with the architecture of hubert-base; do not write into it."""
    from tests.recordings import save_hubert

    return save_hubert(tmp_path_factory.mktemp("group") / "model", "group")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sentence encoder; do not write into it."""
    from tests.recordings import save_encoder

    return save_encoder(tmp_path_factory.mktemp("encoder") / "model")


@pytest.fixture(scope="session")
def prediction_schema() -> Draft202012Validator:
    """The documented shape of predictions as JSON."""
    from jsonschema import Draft202012Validator

    schema = json.loads((Path(__file__).parents[1] / "docs" / "prediction.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
