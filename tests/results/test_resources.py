from replicate.corpus.synthetic import generate
from replicate.results.resources import median_length


def test_the_median_dialogue():
    corpus = generate("synthetic-tiny")
    lengths = sorted(map(len, corpus.dialogues))
    assert median_length(corpus) == lengths[len(lengths) // 2]
