"""``ro-crate-metadata.json``: a results folder described as RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), as JSON-LD.

Not in the paper. Everything is taken from the manifest and from the files as they are; nothing is computed again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from replicate import escape
from replicate.corpus import named_corpora
from replicate.experiment.manifest import Manifest
from replicate.files import from_os_error, sha256, visible, write_text

NAME = "ro-crate-metadata.json"
# It has the hash of this file, which so cannot have that one's.
CHECKSUMS = "SHA256SUMS"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# Words of schema.org that are younger than RO-Crate 1.1.
_TERMS = {name: f"https://schema.org/{name}" for name in ("creditText", "sha256")}
# This package's, and so that of the files it writes.
_LICENCE = {"@id": "https://spdx.org/licenses/Apache-2.0", "@type": "CreativeWork", "name": "Apache License 2.0"}
_FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
}
Entity = dict[str, Any]


def write(folder: Path) -> Path:
    """Describe a results folder in ``ro-crate-metadata.json``, and return its path.

    Raises:
        NotThisFormat, OtherFormat: its manifest cannot be read. DiskFull, CannotWrite: naming the file.
    """
    try:
        entities = graph(folder)
    except OSError as error:
        raise from_os_error(error, folder) from error
    content = {"@context": [_CONTEXT, _TERMS], "@graph": entities}
    write_text(folder / NAME, escape.json_text(content) + "\n")
    return folder / NAME


def graph(folder: Path) -> list[Entity]:
    """Return the entities of a results folder: the folder, its files, the corpus, the software and the machine."""
    manifest = Manifest.load(folder)
    files = list(_files(folder, manifest))
    corpus, software, machine = _corpus(manifest), _software(manifest), _machine(manifest)
    about = f"{', '.join(manifest.tables)} on {manifest.corpus.name}"
    results = [_reference(each) for each in files]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results: {about}",
        "description": (
            f"Tables of a replication of arXiv 2401.03000 and what they were made from: {about}; profile "
            f"{manifest.profile}, protocol {manifest.protocol}, seeds {', '.join(map(str, manifest.seeds))}"
        ),
        "datePublished": _today(),
        "license": _reference(_LICENCE),
        "hasPart": results,
        "mentions": {"@id": "#run"},
    }
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Training and evaluation of {about}",
        "description": manifest.command,
        "instrument": [_reference(software[0]), _reference(machine[0])],
        "object": _reference(corpus[0]),
        "result": results,
    }
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
    }
    entities: list[Entity] = [descriptor, root, *files, action, *corpus, *software, *machine, _LICENCE]
    return [{key: _on_one_line(value) for key, value in entity.items()} for entity in entities]


def _files(folder: Path, manifest: Manifest) -> Iterator[Entity]:
    """Yield the ordinary files of a folder; not the store of the runs, which may be in it, nor what links lead to."""
    whole = Path(os.path.realpath(folder))  # not resolve(), which raises where links lead in a circle
    store = Path(os.path.realpath(whole / manifest.store))
    for path in visible(folder, "**/*"):
        place = Path(os.path.realpath(path))
        name = path.relative_to(folder)
        if path.is_symlink() or not path.is_file() or place != whole / name or name in (Path(NAME), Path(CHECKSUMS)):
            continue
        if store != whole and place.is_relative_to(store):
            continue
        entity: Entity = {
            "@id": quote(os.fsencode(name.as_posix())),
            "@type": "File",
            "name": os.fsencode(name.as_posix()).decode("utf-8", "replace"),
            "contentSize": str(place.stat().st_size),
            "sha256": sha256(place),
        }
        if path.suffix in _FORMATS:
            entity["encodingFormat"] = _FORMATS[path.suffix]
        yield entity


def _corpus(manifest: Manifest) -> list[Entity]:
    """Return the corpus, which is not in the folder, by its hash; for a corpus that has a name, its licence too."""
    corpus = {
        "@id": "#corpus",
        "@type": "Dataset",
        "name": manifest.corpus.name,
        "identifier": {"@id": "#corpus-hash"},
    }
    if manifest.corpus.notes:
        corpus["description"] = " ".join(manifest.corpus.notes)
    found = _property("#corpus-hash", "SHA-256 of what in the corpus decides numbers", manifest.corpus.hash)
    known = named_corpora().get(manifest.corpus.name)
    if known is None:
        return [corpus, found]
    licence = {"@id": "#corpus-licence", "@type": "CreativeWork", "name": known.licence}
    return [corpus | {"license": _reference(licence), "creditText": known.source}, found, licence]


def _software(manifest: Manifest) -> list[Entity]:
    """Return this package, with the commit of its code, and the libraries that numbers depend on."""
    libraries = [
        {"@id": f"#library-{quote(name)}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in manifest.versions.items()
        if name not in ("replicate", "code") and version
    ]
    properties = [_property("#code", "hash of the code that all runs use", manifest.versions.get("code") or "unknown")]
    properties.append(_property("#git", "git", manifest.revision))
    package = {
        "@id": "#software",
        "@type": "SoftwareApplication",
        "name": "bridging-modalities",
        "softwareVersion": manifest.versions.get("replicate") or "unknown",
        "license": _reference(_LICENCE),
        "softwareRequirements": [*map(_reference, libraries)],
        "additionalProperty": [*map(_reference, properties)],
    }
    if manifest.git_commit:
        package["identifier"] = manifest.git_commit
    return [package, *properties, *libraries]


def _machine(manifest: Manifest) -> list[Entity]:
    """Return the machine that trained last, and how the libraries were built."""
    machine = manifest.machine
    facts = {
        "processor": machine.processor,
        "cores": machine.cores,
        "system": machine.system,
        "device": manifest.device,
    }
    properties = [_property(f"#{name}", name, str(value)) for name, value in facts.items() if value]
    properties += [_property(f"#build-{quote(name)}", name, value) for name, value in manifest.builds.items()]
    entity = {
        "@id": "#machine",
        "@type": "IndividualProduct",
        "name": machine.processor or "unknown processor",
        "additionalProperty": [*map(_reference, properties)],
    }
    return [entity, *properties]


def _property(at: str, name: str, value: str) -> Entity:
    return {"@id": at, "@type": "PropertyValue", "name": name, "value": value}


def _reference(entity: Entity) -> Entity:
    return {"@id": entity["@id"]}


def _today() -> str:
    """Return the date in UTC; ``SOURCE_DATE_EPOCH`` fixes it, for crates that are the same byte by byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d", time.gmtime(int(fixed) if fixed.isdecimal() and len(fixed) < 12 else None))


def _on_one_line(value: Any) -> Any:
    return escape.line(value) if isinstance(value, str) else value
