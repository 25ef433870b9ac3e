"""Learning to tag from the training documents."""

import lightning as L
import pytest
import torch

from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import BEGIN, INSIDE, OUTSIDE, MentionTagger
from embedlink.problems import EmbedLinkError
from embedlink.text.words import WORD_OR_SIGN
from embedlink.training.tagger import IGNORED, TaggerData, TaggerModule, learn_tags, tags_of
from embedlink.types import Document, Mention, Span


def words(text):
    return [Span(*match.span()) for match in WORD_OR_SIGN.finditer(text)]


def learn(tiny_encoder, documents, epochs, seed=0):
    torch.manual_seed(seed)
    tagger = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=64))
    trainer = L.Trainer(
        max_epochs=epochs, logger=False, enable_checkpointing=False, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    return learn_tags(
        tagger, documents, trainer, lr=1e-3, batch_size=4, masked=0.0, weight_decay=0.01,
        warmup_share=0.1, seed=seed,
    )  # fmt: skip


def test_of_mentions_that_overlap_the_longest_is_tagged():
    text = "A common cold, cold."
    mentions = (Mention(9, 13, "C5"), Mention(2, 13, "C5"), Mention(15, 19, "C5"))
    tags = tags_of(Document("a", text, mentions), words(text))
    assert tags.tolist() == [OUTSIDE, BEGIN, INSIDE, OUTSIDE, BEGIN, OUTSIDE]


def test_a_shorter_mention_leaves_no_part_beside_the_longest():
    text = "A common cold war."
    mentions = (Mention(9, 17, "C5"), Mention(2, 13, "C5"))
    tags = tags_of(Document("a", text, mentions), words(text))
    assert tags.tolist() == [OUTSIDE, BEGIN, INSIDE, OUTSIDE, OUTSIDE]


def test_every_word_has_one_label(tiny_encoder, documents):
    tagger = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=32))
    data = TaggerData(tagger, documents, 4, 0)
    count = sum(len(own) for own in data.chunks.words)
    assert int((data.tags != IGNORED).sum()) == count
    batches = list(data.train_dataloader())
    assert sum(int((batch.tags != IGNORED).sum()) for batch in batches) == count


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_words_is_masked_and_never_a_special_token(tiny_encoder, documents, share):
    tagger = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=64))
    ids = tagger.chunks([document.text for document in documents]).sequences
    batch = ids.batch(torch.arange(len(ids)))
    module = TaggerModule(tagger, lr=1e-3, masked=share, weight_decay=0.0, warmup_share=0.0, seed=0)
    torch.manual_seed(0)
    after = module.masked_batch(batch).input_ids
    special = torch.isin(batch.input_ids, torch.tensor(tagger.tokenizer.all_special_ids))
    assert torch.equal(after[special], batch.input_ids[special])
    hidden = after[~special] == tagger.tokenizer.mask_token_id
    assert hidden.float().mean() == pytest.approx(share, abs=0.1)
    assert torch.equal(after[~special][~hidden], batch.input_ids[~special][~hidden])


def test_it_learns_what_annotators_mark_and_repeats_it(tiny_encoder, documents):
    tagger = learn(tiny_encoder, documents, epochs=60)
    right = found = gold = 0
    for document, tags in zip(documents, tagger.tag([d.text for d in documents]), strict=True):
        spans = {span for span, _ in tags.spans(0.5)}
        marked = {Span(m.start, m.end) for m in document.mentions}
        right, found, gold = right + len(spans & marked), found + len(spans), gold + len(marked)
    assert right / gold > 0.9
    assert right / found > 0.9
    again = learn(tiny_encoder, documents, epochs=60)
    assert all(map(torch.equal, tagger.parameters(), again.parameters()))


def test_documents_without_mentions_are_an_error(tiny_encoder):
    with pytest.raises(EmbedLinkError, match=r"detection\.tagger: .*no mention"):
        learn(tiny_encoder, [Document("a", "Nothing here.")], epochs=1)
