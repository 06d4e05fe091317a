import opensmile

from replicate.features import recipe

SMILE = {
    "extractor": "opensmile",
    "set": "eGeMAPSv02",
    "columns": ["a", "b"],
    "versions": {"opensmile": opensmile.__version__},
}
HUBERT = {"extractor": "hubert", "model": "here", "parameters": "ab", "layer": "last", "versions": {"nowhere": "1"}}


def test_a_model_is_known_by_its_parameters_and_a_set_by_its_columns() -> None:
    assert recipe.same(HUBERT, HUBERT | {"model": "there", "versions": {}})
    assert not recipe.same(HUBERT, HUBERT | {"parameters": "cd"})
    assert not recipe.same(HUBERT, HUBERT | {"layer": "weighted"})
    assert not recipe.same(SMILE, SMILE | {"columns": ["a"]})
    assert not recipe.same(SMILE, HUBERT)


def test_a_recipe_in_a_few_words() -> None:
    assert recipe.said(SMILE) == "openSMILE eGeMAPSv02 (2 columns)"
    assert recipe.said(HUBERT) == "HuBERT here, layer last"


def test_other_versions_are_named() -> None:
    assert recipe.other_versions(SMILE) == []
    assert recipe.other_versions(SMILE | {"versions": {"opensmile": "0.1"}}) == [
        f"opensmile 0.1, here {opensmile.__version__}"
    ]
    assert recipe.other_versions(HUBERT) == ["nowhere 1, here none"]
