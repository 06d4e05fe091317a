"""Random dialogues for exported models, as arrays and as CSV files."""

import numpy as np

from export.predictor import DialogueFeatures


def random_dialogue(n, seed=0, id_="d"):
    draws = np.random.default_rng(seed)
    return DialogueFeatures(id_, draws.choice(["M", "F"], n).tolist(), draws.standard_normal((n, 12), dtype="f4"))


def write_csv(path, dialogues):
    lines = ["dialogue,speaker," + ",".join(f"f{i}" for i in range(12))]
    for d in dialogues:
        for name, row in zip(d.speakers, d.features, strict=True):
            lines.append(",".join([d.id, name, *map(repr, map(float, row))]))
    path.write_text("\n".join(lines) + "\n")
