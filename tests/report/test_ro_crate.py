"""``ro-crate-metadata.json``: the entities that RO-Crate 1.1 asks for, and every file by its hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from replicate.errors import CannotWrite, NotThisFormat
from replicate.experiment.manifest import CorpusSummary
from replicate.report import ro_crate
from tests.hostile import TEXT, problems

from .builders import manifest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUILDS = {"MKL": "2024.2", "BLAS of numpy": "scipy-openblas 0.3"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder whose store of runs is in it."""
    made = tmp_path / "results"
    (made / "figures").mkdir(parents=True)
    (made / "runs" / "a").mkdir(parents=True)
    files = {"table2.csv": "a,b\n", "figures/a b%ü.svg": "<svg/>", "runs/a/run.json": "{}", ".hidden": "x"}
    for name, content in files.items():
        (made / name).write_text(content, encoding="utf-8")
    manifest(store="runs", git_commit=COMMIT, git_clean=False, builds=BUILDS).save(made)
    return made


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """The entities of the file that is written, by their names."""
    content = json.loads(ro_crate.write(folder).read_text(encoding="utf-8"))
    assert content["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert {"sha256", "creditText"} <= content["@context"][1].keys()  # which RO-Crate 1.1 does not define
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(entities) == len(content["@graph"])
    return entities


def references(value: Any) -> set[str]:
    """What the values of an entity refer to."""
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    return {value["@id"]} if isinstance(value, dict) else set()


def test_the_entities_that_the_specification_asks_for(folder, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    found = written(folder)
    descriptor, root = found["ro-crate-metadata.json"], found["./"]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset" and root["datePublished"] == "1970-01-02"
    assert root["name"] and root["description"] and found[root["license"]["@id"]]["name"] == "Apache License 2.0"
    outside = {"https://w3id.org/ro/crate/1.1"}
    for entity in found.values():
        assert {"@id", "@type"} <= entity.keys()
        for value in entity.values():
            assert references(value) <= found.keys() | outside
            # Flattened: an entity holds texts and references, and no other entity.
            assert all(each.keys() == {"@id"} for each in (value if isinstance(value, list) else [value])
                       if isinstance(each, dict))  # fmt: skip
    assert "agent" not in found["#run"]


def test_every_file_is_there_by_size_and_hash_but_for_runs_and_hidden_ones(folder):
    ro_crate.write(folder)  # the second time it describes what it did the first time
    found = written(folder)
    files = {unquote(name): entity for name, entity in found.items() if entity["@type"] == "File"}
    assert set(files) == {"manifest.json", "table2.csv", "figures/a b%ü.svg"}
    assert all(re.fullmatch(r"[\w./%-]+", entity["@id"]) for entity in files.values())
    for name, entity in files.items():
        content = (folder / name).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest() and entity["contentSize"] == str(len(content))
    assert files["table2.csv"]["encodingFormat"] == "text/csv"
    parts = references(found["./"]["hasPart"])
    assert parts == {entity["@id"] for entity in files.values()} == references(found["#run"]["result"])


def test_links_are_not_followed(folder, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.csv").write_text("x")
    (folder / "link.csv").symlink_to(tmp_path / "secret" / "key.csv")
    (folder / "linked").symlink_to(tmp_path / "secret")
    (folder / "runs").rename(tmp_path / "runs")
    for name in ("circle-of-links", "runs"):  # the second is the store
        (folder / name).symlink_to(folder / name)
    assert not [name for name in written(folder) if "link" in name]


def test_software_corpus_and_machine(folder):
    found = written(folder)
    run = found["#run"]
    assert run["@type"] == "CreateAction" and run["description"] == "replicate run table2 --data 'a & b'"
    assert references(run["instrument"]) == {"#software", "#machine"} and run["object"] == {"@id": "#corpus"}
    software = found["#software"]
    assert (software["softwareVersion"], software["identifier"]) == ("0.1.0", COMMIT)
    assert found["#git"]["value"] == "commit 0123456789ab, with changes that were not committed"
    assert references(software["softwareRequirements"]) == {"#library-python"}  # onnx is not installed there
    assert found["#library-python"]["softwareVersion"] == "3.12.1"
    assert found["#corpus-hash"]["value"] == "0123456789abcdef" * 4
    assert found["#corpus"]["license"] == {"@id": "#corpus-licence"} and found["#corpus"]["creditText"]
    facts = {found[name]["name"]: found[name]["value"] for name in references(found["#machine"]["additionalProperty"])}
    assert facts == {"processor": "Processor 2", "cores": "8", "system": "System 1", "device": "cpu"} | BUILDS


def test_a_manifest_of_an_earlier_version_and_a_file_of_ones_own(folder):
    made = manifest(corpus=CorpusSummary("mine", "0" * 64, ()), git_commit=None, git_clean=None, builds={})
    replace(made, machine=replace(made.machine, processor=None)).save(folder)
    found = written(folder)
    assert found["#git"]["value"] == "not recorded" and "identifier" not in found["#software"]
    assert "license" not in found["#corpus"] and "#corpus-licence" not in found
    assert found["#machine"]["name"] == "unknown processor" and "#processor" not in found


def test_hostile_text_is_data(folder):
    manifest(corpus=CorpusSummary(TEXT, "0" * 64, (TEXT,)), builds={"MKL": "<script>"}).save(folder)
    (folder / f"{TEXT[:60].replace('/', '')}\n\x1b.csv").write_text("x")
    (folder / os.fsdecode(b"\xff.csv")).write_text("x")
    found = written(folder)
    text = (folder / ro_crate.NAME).read_text(encoding="utf-8")
    assert problems(text, "json") == [] and found["#corpus"]["name"].startswith("=HYPERLINK")
    assert found["%FF.csv"]["name"] == "\ufffd.csv"


def test_a_folder_without_a_manifest_or_that_cannot_be_written(folder):
    (folder / ro_crate.NAME).mkdir()
    with pytest.raises(CannotWrite, match=re.escape(ro_crate.NAME)):
        ro_crate.write(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(NotThisFormat, match=r"manifest\.json"):
        ro_crate.write(folder)


def test_the_library_of_the_format_reads_it(folder):
    library = pytest.importorskip("rocrate.rocrate", reason="needs rocrate")
    expected = written(folder)
    crate = library.ROCrate(folder)
    assert crate.root_dataset["name"] == expected["./"]["name"]
    assert {entity.id for entity in crate.get_entities()} == expected.keys()
    assert crate.get("table2.csv")["sha256"] == expected["table2.csv"]["sha256"]
    (action,) = crate.get_by_type("CreateAction")
    assert {each.id for each in action["instrument"]} == {"#software", "#machine"}
