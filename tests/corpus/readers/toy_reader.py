"""A complete corpus reader: dialogues in one JSON file, a list of utterances for every dialogue."""

import json
from pathlib import Path

import numpy as np

from replicate.corpus.readers.base import Reader, register
from replicate.corpus.types import Corpus, Dialogue


@register("toy")
class ToyReader(Reader):
    format = "a .json file of the toy corpus"

    def accepts(self, path: Path) -> bool:
        return path.suffix == ".json"

    def read(self, path: Path) -> Corpus:
        content = json.loads(path.read_text(encoding="utf-8"))
        dialogues = tuple(
            Dialogue(
                id=dialogue["id"],
                speakers=np.array([utterance["speaker"] for utterance in dialogue["utterances"]], np.int64),
                labels=np.array([utterance["label"] for utterance in dialogue["utterances"]], np.int64),
                features={
                    "audio": np.array([utterance["audio"] for utterance in dialogue["utterances"]], np.float32),
                    "visual": np.array([utterance["visual"] for utterance in dialogue["utterances"]], np.float32),
                },
                split=dialogue["split"],
            )
            for dialogue in content["dialogues"]
        )
        return Corpus("toy", tuple(content["labels"]), dialogues, tuple(content["speakers"]))
