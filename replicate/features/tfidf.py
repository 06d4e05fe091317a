"""Text features: TF-IDF of words and pairs of words, reduced by truncated SVD, fitted on the training split alone.

Not in the paper, which uses audio and video: text is a privileged stream where a corpus has no video.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replicate.errors import BadSource

COLUMNS = 100
NGRAMS, MIN_DF, SEED = (1, 2), 2, 0


class Tfidf:
    """Features of texts, from the vocabulary and the directions of training texts.

    Args:
        training: texts of the training split; nothing else is fitted on.
        columns: directions to keep.

    Attributes:
        recipe: the settings, a hash of the training texts, and versions.

    Raises:
        BadSource: there are too few training texts or words for so many columns.
    """

    stream = "text"

    def __init__(self, training: Sequence[str], columns: int = COLUMNS) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not training:
            raise BadSource("text features are fitted on the training split, and it is empty: add a column split")
        self._vectorizer = TfidfVectorizer(ngram_range=NGRAMS, min_df=MIN_DF)
        try:
            counted = self._vectorizer.fit_transform(training)
        except ValueError as error:  # no word is in two texts
            raise BadSource(f"no word is in {MIN_DF} of the {len(training)} training texts: add texts") from error
        words = counted.shape[1]
        if columns > min(words, len(training)):
            raise BadSource(
                f"{len(training)} training texts with {words} words and pairs of words give no {columns} columns: "
                f"choose at most {min(words, len(training))} with --columns"
            )
        with np.errstate(invalid="ignore"):  # the share of variance that is explained, if all texts are the same
            self._svd = TruncatedSVD(columns, random_state=SEED).fit(counted)
        self.recipe: dict[str, Any] = {
            "extractor": "tfidf",
            "ngrams": list(NGRAMS),
            "min_df": MIN_DF,
            "components": columns,
            "seed": SEED,
            "fitted_on": f"{len(training)} training texts",
            "vocabulary": words,
            "training": hashlib.sha256("\n".join(training).encode()).hexdigest(),
            "versions": {"scikit-learn": version("scikit-learn")},
        }

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts, columns) float32; zero for a text without a known word."""
        found: NDArray[np.float64] = self._svd.transform(self._vectorizer.transform(texts))
        return found.astype(np.float32)
