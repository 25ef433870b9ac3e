import pickle

import numpy as np
import pandas as pd
import pytest
from medcat.cat import CAT

from embedlink.annotation.annotator import COLUMNS, SPARK_SCHEMA, Annotator
from embedlink.files.digests import digest_of_folder
from embedlink.problems import EmbedLinkError
from tests.annotation.conftest import TEXTS


def frames():
    """The texts in two tables, as Spark hands them over."""
    ids = [f"n{at}" for at in range(len(TEXTS))]
    whole = pd.DataFrame({"id": ids, "text": TEXTS, "ward": "A"})
    return [whole[:4], whole[4:]]


def test_the_links_are_those_of_the_pack(pack):
    annotator = pickle.loads(pickle.dumps(Annotator(str(pack), id_column="id", include_text=True)))
    tables = list(annotator(iter(frames())))
    assert len(tables) == 2
    links = pd.concat(tables)
    assert list(links.columns) == list(COLUMNS)
    cat, expected = CAT.load_model_pack(str(pack)), []
    for at, text in enumerate(TEXTS):
        for entity in cat.get_entities(text).get("entities", {}).values():
            expected.append(
                (f"n{at}", entity["start"], entity["end"], entity["cui"], entity["acc"])
            )
    rows = links[["note_id", "start", "end", "cui", "probability"]]
    assert sorted(rows.itertuples(index=False, name=None)) == sorted(expected)
    assert {"n0", "n1", "n3", "n5"} == set(links["note_id"])
    assert set(links["name"]) <= {
        "multiple sclerosis",
        "mitral stenosis",
        "fever",
        "heart failure",
        "cold",
    }
    assert set(links["pack"]) == {digest_of_folder(pack)}
    assert links["error"].isna().all()
    assert links["similarity"].between(-1, 1).all()
    for row in links.itertuples():
        assert row.text == TEXTS[int(row.note_id[1:])][row.start : row.end]


def test_text_is_left_out_unless_it_is_asked_for(pack):
    [links] = Annotator(str(pack))(frames()[:1])
    assert links["text"].isna().all()
    assert set(links["note_id"]) == {"0", "1", "3"}  # The rows' numbers.


@pytest.mark.parametrize("text", [None, 7, np.nan, b"Known MS.", ["MS"]])
def test_a_malformed_note_costs_its_own_row(pack, text):
    frame = pd.DataFrame({"text": ["Known MS.", text, "A fever."]}, dtype=object)
    [links] = Annotator(str(pack))([frame])
    [error] = links["error"].dropna()
    assert error == f"its text is a {type(text).__name__}, not a string"
    assert list(links["note_id"]) == ["0", "1", "2"]
    assert list(links["cui"].isna()) == [False, True, False]


def test_a_note_that_fails_costs_its_own_row_and_is_not_quoted(pack, monkeypatch):
    inner = CAT.get_entities

    def failing(cat, text, **given):
        if "secret" in text:
            raise ValueError(f"cannot read {text}")
        return inner(cat, text, **given)

    monkeypatch.setattr(CAT, "get_entities", failing)
    [links] = Annotator(str(pack))([pd.DataFrame({"text": ["A secret fever.", "A fever."]})])
    assert list(links["error"].fillna("")) == ["ValueError", ""]


def test_a_missing_column_is_named(pack):
    with pytest.raises(EmbedLinkError, match="no column note"):
        list(Annotator(str(pack), text_column="note")(frames()))


def test_spark_maps_tables_with_it(pack):
    sql = pytest.importorskip("pyspark.sql", reason="pip install embedlink[spark], and Java")
    spark = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    try:
        annotator = Annotator(str(pack), id_column="id")
        [here] = annotator([pd.concat(frames()).drop(3)])  # Spark holds no lone surrogates.
        notes = spark.createDataFrame(pd.concat(frames()).drop(3)).repartition(2)
        there = notes.mapInPandas(annotator, SPARK_SCHEMA).toPandas()
    finally:
        spark.stop()
    order = ["note_id", "start"]
    there = there.sort_values(order, ignore_index=True).astype(dict(COLUMNS))
    pd.testing.assert_frame_equal(there, here.sort_values(order, ignore_index=True))
