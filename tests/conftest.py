"""Small real things that tests share: an encoder, a concept database, documents."""

import tests.environment  # noqa: F401, I001  First: torch reads the number of threads once.

from collections.abc import Sequence
from pathlib import Path

import lightning as L
import pytest
import torch
from medcat.cdb import CDB
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from embedlink.concepts.database import load_cdb
from embedlink.detection.pipeline import detection_config
from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import MentionTagger
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.problems import Problems
from embedlink.training.tagger import learn_tags
from embedlink.types import Document, Mention

CONCEPTS = """cui,name,ontologies,name_status,type_ids,description
C1,multiple sclerosis,TEST,P,,
C1,MS,TEST,A,,
C1,disseminated sclerosis,TEST,A,,
C2,mitral stenosis,TEST,P,,
C2,MS,TEST,A,,
C3,fever,TEST,P,,
C3,pyrexia,TEST,A,,
C4,heart failure,TEST,P,,
C4,failure of the heart,TEST,A,,
C5,cold,TEST,P,,
C5,common cold,TEST,A,,
"""

NOTES = [
    ("a", "Known MS with optic neuritis. No fever today.", [("MS", "C1"), ("fever", "C3")]),
    ("b", "Murmur of MS on echo, in heart failure.", [("MS", "C2"), ("heart failure", "C4")]),
    ("c", "It was a cold day; she has a common cold and pyrexia.",
     [("common cold", "C5"), ("pyrexia", "C3")]),
    ("d", "Disseminated sclerosis, relapsing. Left out in the cold.",
     [("Disseminated sclerosis", "C1")]),
    ("e", "Mitral stenosis and failure of the heart.",
     [("Mitral stenosis", "C2"), ("failure of the heart", "C4")]),
    ("f", "Spiked a temperature with her cold.", [("cold", "C5"), ("temperature", "C3")]),
]  # fmt: skip


def document(
    name: str,
    text: str,
    surfaces: Sequence[tuple[str, str]],
    corpus: str = "tiny",
    split: str = "",
) -> Document:
    mentions = []
    for surface, code in surfaces:
        start = text.index(surface)
        mentions.append(Mention(start, start + len(surface), code))
    return Document(name, text, tuple(mentions), corpus, split)


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    return [document(*note) for note in NOTES]


@pytest.fixture(scope="session")
def concept_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("concepts") / "concepts.csv"
    path.write_text(CONCEPTS)
    return path


@pytest.fixture
def cdb(concept_table: Path) -> CDB:
    return load_cdb(concept_table, Problems(), detection_config(min_name_len=2))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT of four small layers, and a WordPiece of single characters."""
    folder: Path = tmp_path_factory.mktemp("encoder")
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    words = sorted({word.strip(".,;").lower() for _, text, _ in NOTES for word in text.split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    pieces += [f"##{c}" for c in characters] + [w for w in words if len(w) > 1]
    vocabulary = {piece: row for row, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]",
        cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", model_max_length=128,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=128,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def linker(tiny_encoder: Path) -> Linker:
    settings = LinkerSettings(str(tiny_encoder), context_window=5, max_tokens=32)
    made = Linker.untrained(settings, unfreeze=1)
    made.encoder.eval()
    return made


@pytest.fixture(scope="session")
def tagger_folder(
    tiny_encoder: Path, documents: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tagger that has learned the notes by heart."""
    torch.manual_seed(0)
    tagger = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=64))
    trainer = L.Trainer(
        max_epochs=60, logger=False, enable_checkpointing=False, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    learn_tags(
        tagger, documents, trainer, lr=1e-3, batch_size=4, masked=0.0, weight_decay=0.01,
        warmup_share=0.1, seed=0,
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("tagger") / "tagger"
    tagger.save(folder)
    return folder
