import json
from dataclasses import replace

from replicate.report import data_files, edges, tables
from replicate.results.edges import EdgeWeight

from .conftest import made

WEIGHTS = (
    EdgeWeight("DMD", "homo", "text to audio", 0.4823, (0.5, 0.4)),
    EdgeWeight("DMD", "homo", "text to visual", 0.4823, (0.3, 0.2)),
    EdgeWeight("DMD", "homo", "audio to text", 0.0088, (0.2, 0.4)),
    EdgeWeight("no prior", "hetero", "text to audio", None, (0.125,)),
)


def test_learned_weights_stand_under_their_prior():
    section = edges.section(replace(made(), edges=WEIGHTS))
    assert section.grid.titles[3:] == ["text to audio", "text to visual", "audio to text", "from text largest"]
    assert section.grid.lines == [
        ["DMD", "homo", "prior", "0.482", "0.482", "0.009", ""],
        ["DMD", "homo", "learned", "0.450 ± 0.071", "0.250 ± 0.071", "0.300 ± 0.141", "1 of 2"],
        ["no prior", "hetero", "prior", "–", "–", "–", ""],
        ["no prior", "hetero", "learned", "0.125", "–", "–", "–"],
    ]


def test_tables_have_the_section_if_there_are_weights():
    result = replace(made(), edges=WEIGHTS)
    assert "0.450 ± 0.071" in tables.markdown(result) and "Figure 13" in tables.markdown(result)
    assert "Figure 13" not in tables.markdown(made())
    found = json.loads(data_files.table_json(result))["edges"]
    assert found[0]["values"] == [0.5, 0.4] and found[3]["prior"] is None
    assert "edges" not in json.loads(data_files.table_json(made()))
