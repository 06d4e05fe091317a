import pytest

from replicate.errors import EmptyDialogue, MissingStream
from replicate.training.required import require

from .conftest import corpus


def test_one_training_utterance_is_refused():
    with pytest.raises(EmptyDialogue, match="single training utterance"):
        require(corpus((1,)), ("audio",))


def test_a_missing_stream_is_named():
    with pytest.raises(MissingStream, match=r"'hubert'.*audio, visual"):
        require(corpus(), ("audio", "hubert"))
