"""The columns of functionals that tell classes apart best, chosen on the training split alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.types import Corpus
from replicate.errors import BadSource


def selected(corpus: Corpus, count: int) -> Corpus:
    """Return the corpus with the ``count`` columns of stream audio that ``most_informative`` chooses in training.

    Raises:
        BadSource: see ``most_informative``.
    """
    training = corpus.split("train")
    if not training:
        raise BadSource("--select needs a training split, and it is empty: add a column split to the CSV")
    names = corpus.recipes["audio"]["columns"]
    features = np.concatenate([dialogue.features["audio"] for dialogue in training])
    columns = most_informative(features, np.concatenate([d.labels for d in training]), count, names)
    recipe = corpus.recipes["audio"] | {
        "columns": [names[i] for i in columns],
        "select": f"the {count} of {len(names)} columns with the highest ANOVA F of the classes in training",
    }
    dialogues = tuple(replace(d, features={"audio": d.features["audio"][:, columns]}) for d in corpus.dialogues)
    return replace(corpus, dialogues=dialogues, recipes={"audio": recipe})


def most_informative(
    features: NDArray[np.float32], labels: NDArray[np.int64], count: int, columns: Sequence[str]
) -> list[int]:
    """Return the ``count`` columns with the highest ANOVA F of the classes, in increasing order; ties go to the first.

    The arguments are of training utterances only. Constant columns are never chosen.

    Shapes:
        features: (n, d). labels: (n,).

    Raises:
        BadSource: there are fewer than ``count`` columns that are not constant, or fewer than 2 classes.
    """
    from sklearn.feature_selection import f_classif

    if len(np.unique(labels)) < 2:
        raise BadSource("--select needs training utterances of at least two classes: add columns label and split")
    varied = np.flatnonzero(np.ptp(features, axis=0) > 0)
    if count > len(varied):
        raise BadSource(
            f"--select {count}: only {len(varied)} of {len(columns)} columns vary in training: select fewer"
        )
    # F is infinite for a column without variance within classes. In float64, for sums of squares of large numbers.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scikit-learn calls such columns constant
        scores = np.nan_to_num(f_classif(features[:, varied].astype(np.float64), labels)[0], nan=0.0)
    return sorted(varied[np.argsort(-scores, kind="stable")[:count]].tolist())
