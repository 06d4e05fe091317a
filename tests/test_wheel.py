"""The built wheel: it works when it is installed, and the command warns of another owner of its packages' names."""

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: object, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's wheel, built offline."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_it_holds_the_page_and_the_bundle_of_the_package(wheel):
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "export" / "demo").rglob("*") if path.is_file()}
    wanted = {name for name in here if "__pycache__" not in name}
    assert "export/demo/page/app.js" in wanted and "export/demo/bundle/model.wav.stream.onnx" in wanted
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_it_says_which_licence_is_that_of_the_weights(wheel):
    (name,) = [one for one in zipfile.ZipFile(wheel).namelist() if one.endswith(".dist-info/licenses/NOTICE")]
    notice = zipfile.ZipFile(wheel).read(name).decode()
    card = (ROOT / "export" / "demo" / "bundle" / "README.md").read_text(encoding="utf-8")
    (licence,) = [line.removeprefix("license: ") for line in card.splitlines() if line.startswith("license: ")]
    for words in ("export/demo/bundle", licence.upper().replace("CC-", "CC ").replace("SA-", "SA ")):
        assert words in notice
    for path in (word.strip(",:") for word in notice.split() if word.startswith("export/")):
        assert (ROOT / path).exists()


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A wheel of another project that is called replicate, as on the package index."""
    path = tmp_path / "replicate-1.0.7-py3-none-any.whl"
    info = "replicate-1.0.7.dist-info"
    files = {
        "replicate/__init__.py": "",
        "replicate/client.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: replicate\nVersion: 1.0.7\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, content)
    return path


def install(folder: Path, *wheels: Path) -> Path:
    """Return the command in a new environment with these wheels; their dependencies are those of this environment."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    for each in wheels:
        done = run(
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            each,
            env=CLEAN,
        )
        assert done.returncode == 0, done.stderr
    return folder / "bin" / "replicate"


def test_an_environment_of_its_own_has_no_warning_and_all_definitions(wheel, tmp_path):
    command = install(tmp_path / "env", wheel)
    done = run(command, "--version", env=CLEAN, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("replicate, version ")
    done = run(command, "run", "table2", "--profile", "smoke", "--dry-run", env=CLEAN, cwd=tmp_path)
    assert done.returncode == 0 and "COGMEN-Mask, seed 24" in done.stdout


@pytest.mark.slow
def test_the_command_warns_of_another_project_called_replicate(wheel, stand_in, tmp_path):
    done = run(install(tmp_path / "env", stand_in, wheel), "--version", env=CLEAN, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("replicate, version ")
    assert done.stderr.startswith("warning: replicate 1.0.7 also installs a package replicate")
    assert done.stderr.count("\n") == 1 and "an environment of its own" in done.stderr


def refused(done: subprocess.CompletedProcess) -> bool:
    return (
        done.returncode == 1
        and done.stderr.startswith("error (other package): the package 'replicate' is that of replicate 1.0.7,")
        and done.stderr.count("\n") == 1
        and "an environment of its own" in done.stderr
    )


@pytest.mark.slow
def test_the_command_names_a_project_that_has_overwritten_its_package(wheel, stand_in, tmp_path):
    done = run(install(tmp_path / "env", wheel, stand_in), "--version", env=CLEAN, cwd=tmp_path)
    assert refused(done), done.stderr


def editable(folder: Path, *wheels: Path) -> Path:
    """Return the command in a new environment whose modules of this project are those of the checkout."""
    command = install(folder, *wheels)
    (packages,) = folder.glob("lib/*/site-packages")
    for package in ("replicate", "export"):
        shutil.rmtree(packages / package)
    (packages / "_editable_impl_bridging_modalities.pth").write_text(f"{ROOT}\n")
    return command


@pytest.mark.slow
def test_an_editable_installation_of_its_own_has_no_warning(wheel, tmp_path):
    done = run(editable(tmp_path / "env", wheel), "--version", env=CLEAN, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("replicate, version ")


@pytest.mark.slow
def test_an_editable_installation_names_a_project_whose_package_is_imported_first(wheel, stand_in, tmp_path):
    command = editable(tmp_path / "env", wheel)
    done = run(sys.executable, "-m", "pip", "--python", command.with_name("python"), "install", stand_in, env=CLEAN)
    assert done.returncode == 0, done.stderr
    done = run(command, "--version", env=CLEAN, cwd=tmp_path)
    assert refused(done), done.stderr
