import opensmile

from replicate.corpus import provenance

SMILE = {
    "extractor": "opensmile",
    "set": "eGeMAPSv02",
    "columns": ["a", "b"],
    "versions": {"opensmile": opensmile.__version__},
}
HUBERT = {"extractor": "hubert", "model": "here", "parameters": "ab", "layer": "last", "versions": {"nowhere": "1"}}


def test_recipes_are_compared_by_parameters_and_columns() -> None:
    assert provenance.same(HUBERT, HUBERT | {"model": "there", "versions": {}})
    assert not provenance.same(HUBERT, HUBERT | {"parameters": "cd"})
    assert not provenance.same(HUBERT, HUBERT | {"layer": "weighted"})
    assert not provenance.same(SMILE, SMILE | {"columns": ["a"]})
    assert not provenance.same(SMILE, HUBERT)


def test_a_recipe_is_described_in_a_few_words() -> None:
    assert provenance.describe(SMILE) == "openSMILE eGeMAPSv02 (2 columns)"
    assert provenance.describe(HUBERT) == "HuBERT here, layer last"
    other = HUBERT | {"extractor": "encoder", "type": "wav2vec2"}
    assert provenance.describe(other) == "wav2vec 2.0 here, layer last"


def test_changed_versions_are_named() -> None:
    assert provenance.changed_versions(SMILE) == []
    assert provenance.changed_versions(SMILE | {"versions": {"opensmile": "0.1"}}) == [
        f"opensmile 0.1, here {opensmile.__version__}"
    ]
    assert provenance.changed_versions(HUBERT) == ["nowhere 1, here none"]
