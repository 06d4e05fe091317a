from dataclasses import replace

import pytest

from replicate.config.requirements import lacking, parted, remarks, trainable
from replicate.config.tables import Row, Table
from replicate.errors import MissingStream
from replicate.training.methods.dmd import DmdOnlineSettings, DmdSettings
from tests.small_runs import ARM, STUDENT, TEACHER

HUBERT = replace(ARM, audio="hubert-second-to-last")
BOTH = replace(TEACHER, audio="hubert")
ONLINE = replace(ARM, distillation=DmdOnlineSettings())
GRANDCHILD = replace(ARM, teacher=STUDENT)


def table(name, *arms):
    return Table(name, "title", "nowhere", ("A",), tuple(Row(f"row {i}", arm) for i, arm in enumerate(arms)))


def having(corpus, *names):
    """The corpus with these streams alone."""
    array = corpus.dialogues[0].features["audio"]
    return replace(corpus, dialogues=(replace(corpus.dialogues[0], features=dict.fromkeys(names, array)),))


@pytest.mark.parametrize(
    ("arm", "streams", "expected"),
    [
        (ARM, ("audio",), ()),
        (ARM, ("hubert",), ("audio",)),
        (TEACHER, ("audio",), ("visual",)),
        (HUBERT, ("audio", "visual", "hubert"), ("hubert-second-to-last",)),
        (BOTH, ("audio",), ("hubert", "visual")),
        # Streams of a teacher, and auxiliary streams.
        (STUDENT, ("audio",), ("visual",)),
        (GRANDCHILD, ("audio",), ("visual",)),
        (replace(ARM, teacher=ARM, unimodal_teachers=(TEACHER,), distillation=DmdSettings()), ("audio",), ("visual",)),
        (ONLINE, ("audio",), ("visual",)),
        (replace(ARM, teacher=ONLINE), ("hubert",), ("audio", "visual")),
        (STUDENT, ("audio", "visual"), ()),
    ],
)
def test_a_row_lacks_what_its_arm_or_a_teacher_lacks(corpus, arm, streams, expected):
    assert lacking([Row("r", arm)], having(corpus, *streams)) == ({"r": expected} if expected else {})


def test_a_table_is_kept_if_one_row_can_be_trained(corpus):
    speech = having(corpus, "audio")
    whole, part, nothing = table("whole", ARM), table("part", STUDENT, ARM, BOTH), table("nothing", BOTH, TEACHER)
    assert [trainable(each, speech) for each in (whole, part, nothing)] == [True, True, False]
    kept, without = parted((nothing, whole, part), speech)
    assert (kept, without) == ((whole, part), (nothing,))
    assert remarks(kept, without, speech) == [
        "part: 2 of 3 rows need the visual and hubert streams",
        "nothing: left out, its rows need the hubert and visual streams",
    ]
    assert parted((), speech) == ((), ())


def test_if_no_table_is_kept_the_message_names_what_is_missing(corpus):
    seen = having(corpus, "visual")
    with pytest.raises(MissingStream) as raised:
        parted((table("one", ARM), table("two", HUBERT)), seen)
    assert str(raised.value) == (
        f"corpus {corpus.name} has only the streams visual, with which no row of one or two can be trained: it lacks "
        "the audio and hubert-second-to-last streams"
    )
