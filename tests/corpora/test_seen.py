"""Nothing is measured on what a run trained on, unless that is asked for."""

from dataclasses import replace

import pytest

from embedlink.corpora.seen import check_unseen, count_seen, note_seen
from embedlink.problems import EmbedLinkError


def test_a_document_that_was_trained_on_is_named_by_number_alone(documents, tmp_path):
    note_seen(tmp_path / "run", documents[:3])
    linker = tmp_path / "run" / "linker"
    check_unseen(linker, documents[3:])
    with pytest.raises(EmbedLinkError, match="trained on 1 of the 4 documents") as caught:
        check_unseen(linker, documents[2:6])
    assert documents[2].text not in str(caught.value)


def test_the_file_holds_no_text(documents, tmp_path):
    note_seen(tmp_path, documents)
    (file,) = tmp_path.iterdir()
    lines = file.read_text().splitlines()
    assert len(lines) == len(documents)
    assert all(len(line) == 32 and int(line, 16) >= 0 for line in lines)


def test_a_linker_that_was_moved_is_taken_as_it_is(documents, tmp_path):
    check_unseen(tmp_path / "linker", documents)


def test_a_document_is_known_by_its_text_whatever_its_codes(documents, tmp_path):
    note_seen(tmp_path, documents[:1])
    recoded = replace(documents[0], id="other", mentions=())
    with pytest.raises(EmbedLinkError, match="trained on 1 of the 1"):
        check_unseen(tmp_path / "linker", [recoded])


def test_what_a_reused_tagger_has_seen_is_known_too(documents, tmp_path):
    note_seen(tmp_path / "first", documents[:2])
    note_seen(tmp_path / "second", documents[2:3], [tmp_path / "first", tmp_path / "nowhere"])
    assert count_seen(tmp_path / "second" / "tagger", documents) == 3
    assert count_seen(tmp_path / "elsewhere" / "tagger", documents) is None
