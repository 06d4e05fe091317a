import numpy as np
import pytest

from replicate.errors import BadName

from .conftest import corpus, dialogue


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "x" * 101])
@pytest.mark.parametrize("where", ["name", "labels", "speakers", "dialogue", "stream"])
def test_names_that_no_table_or_folder_can_show_are_refused(name, where):
    change = {
        "name": lambda: corpus(dialogue(), name=name),
        "labels": lambda: corpus(dialogue(), labels=("no", name)),
        "speakers": lambda: corpus(dialogue(), speakers=("M", name)),
        "dialogue": lambda: corpus(dialogue(name)),
        "stream": lambda: corpus(dialogue(features={name: np.ones((2, 1), np.float32)})),
    }
    with pytest.raises(BadName):
        change[where]()


def test_classes_of_one_name_are_refused():
    with pytest.raises(BadName, match="repeated"):
        corpus(dialogue(), labels=("no", "no"))
