"""Detection beyond MedCAT's: variants of names, abbreviations that the document defines, and
what a tagger has learned to see.

All of them fill one table of entities by span, so their order decides. Exact names come first;
variants go where no exact name is; abbreviations take the place of either, for the document says
what they mean; the tagger adds what is left, and a probability to all of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from medcat.cdb import CDB
from medcat.components.ner.vocab_based_ner import NER as VocabularyNer
from medcat.components.types import (
    AbstractEntityProvidingComponent,
    CoreComponentType,
    get_component_creator,
)
from medcat.config.config import ComponentConfig
from medcat.storage.serialisables import AbstractManualSerialisable
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity, MutableToken
from medcat.vocab import Vocab

from embedlink.detection.config import EmbedLinkNer
from embedlink.detection.spellings import NameVariants
from embedlink.detection.tagger import MentionTagger, Tags
from embedlink.plugin import NER
from embedlink.text.abbreviations import Abbreviation, abbreviations, occurrences
from embedlink.text.spelling import COORDINATIONS, FUNCTION_WORDS, WORD, stem
from embedlink.types import EmbedLinkError, Span

_BREAKS = frozenset(".:;?!()[]{}")
"""Punctuation that no variant reaches across."""
_JOINTS = frozenset(',/&+"')
"""Punctuation that, as "and" does, makes the order of the words beside it tell."""
_APOSTROPHES = ("'", "’", "`")

TAGGER = "tagger"
"""The folder of the tagger in the component's."""

Entities = dict[Span, MutableEntity]


class EmbedLinkDetection(AbstractEntityProvidingComponent, AbstractManualSerialisable):
    """MedCAT's vocabulary-based detection, and the additions that its configuration names.

    It is made from the concept database, the configuration and, where there is one, a tagger. A
    span is detected once: where MedCAT's own detection finds it, its candidates stay, unless the
    document says what it abbreviates. What only the tagger finds has no candidates.
    """

    name = NER

    def __init__(self, tokenizer: BaseTokenizer, cdb: CDB) -> None:
        super().__init__()
        self.tokenizer, self.cdb = tokenizer, cdb
        self._exact = VocabularyNer(tokenizer, cdb)
        self._variants = NameVariants(cdb)
        self._tagger: tuple[str, MentionTagger] | None = None
        _checked(cdb.config.components.ner)

    @property
    def tagger(self) -> MentionTagger | None:
        """The tagger that the configuration names; read when first needed."""
        config = self.cdb.config.components.ner
        folder = config.tagger if isinstance(config, EmbedLinkNer) else None
        if folder is None:
            return None
        if self._tagger is None or self._tagger[0] != folder:
            self._tagger = folder, MentionTagger.load(Path(folder).expanduser())
        return self._tagger[1]

    def get_type(self) -> CoreComponentType:
        """A detecting component."""
        return CoreComponentType.ner

    def predict_entities(
        self, doc: MutableDocument, ents: list[MutableEntity] | None = None
    ) -> list[MutableEntity]:
        """The detected entities by start, the shorter first, as MedCAT orders them.

        `ents` is not used. Raises `EmbedLinkError` where the tagger cannot be read.
        """
        config = _checked(self.cdb.config.components.ner)
        found = {_span(entity): entity for entity in self._exact.predict_entities(doc)}
        tokens = list(doc)
        if config.variants:
            self._add_variants(doc, tokens, found, config.max_variant_words)
        if config.abbreviations:
            self._add_abbreviations(doc, tokens, found)
        if self.tagger is not None:
            (tags,) = self.tagger.tag([doc.base.text])
            self._add_tagged(doc, tokens, found, tags, config.least_tagged)
        entities = [found[span] for span in sorted(found)]
        # MedCAT's output is keyed by id, and its own detection counted its own entities.
        for number, entity in enumerate(entities):
            entity.id = number
        return entities

    @classmethod
    def create_new_component(
        cls,
        cnf: ComponentConfig,
        tokenizer: BaseTokenizer,
        cdb: CDB,
        vocab: Vocab,
        model_load_path: str | None,
    ) -> Self:
        """The database and its configuration say what is needed."""
        return cls(tokenizer, cdb)

    def get_hash(self) -> str:
        """Changes with the tagger: part of the model pack's hash."""
        return "" if self.tagger is None else self.tagger.digest()

    def serialise_to(self, folder_path: str) -> None:
        """Write the tagger, where there is one."""
        folder = Path(folder_path)
        folder.mkdir(parents=True, exist_ok=True)
        if self.tagger is not None:
            self.tagger.save(folder / TAGGER)

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> Self:
        """Read it back; the configuration then names the tagger in this folder."""
        cdb: CDB = init_kwargs["cdb"]
        config = cdb.config.components.ner
        if config.comp_name != NER:  # Another component was set since.
            make = get_component_creator(CoreComponentType.ner, config.comp_name)
            other: Any = make(config, init_kwargs["tokenizer"], cdb, init_kwargs["vocab"], None)
            return other  # type: ignore[no-any-return]
        config = _checked(config)
        # The path that was saved is where the tagger lay when the pack was made.
        own = Path(folder_path) / TAGGER
        if config.tagger is not None and own.is_dir():
            config.tagger = str(own)
        return cls(init_kwargs["tokenizer"], cdb)

    def _add_variants(
        self, doc: MutableDocument, tokens: Sequence[MutableToken], found: Entities, longest: int
    ) -> None:
        self._variants.follow()
        for run in _word_runs(tokens, self._variants.words, longest):
            loose = not any(word.joined for word in run[1:])
            names = self._variants.names([word.stem for word in run], any_order=loose)
            part = tokens[run[0].token : run[-1].token + 1] if names else []
            span = _characters(part) if part else None
            if span is not None and span not in found:
                found[span] = self._entity(doc, part, names[0], self._candidates(names))

    def _add_abbreviations(
        self, doc: MutableDocument, tokens: Sequence[MutableToken], found: Entities
    ) -> None:
        text = doc.base.text
        starts = [token.base.char_index for token in tokens]
        for abbreviation in abbreviations(text):
            meant = _meant(abbreviation, found)
            if meant is None:
                continue
            name, candidates = meant.detected_name, list(meant.link_candidates)
            for span in occurrences(text, abbreviation.short):
                part = _tokens_of(span, tokens, starts)
                if part:
                    found[span] = self._entity(doc, part, name, candidates)

    def _add_tagged(
        self,
        doc: MutableDocument,
        tokens: Sequence[MutableToken],
        found: Entities,
        tags: Tags,
        least: float,
    ) -> None:
        starts = [token.base.char_index for token in tokens]
        for span, _ in tags.spans(least):
            # No name and no candidates: which concept it is, the linker says.
            part = _tokens_of(span, tokens, starts) if span not in found else []
            if part:
                found[span] = self._entity(doc, part, "", [])
        for span, entity in found.items():
            entity.confidence = tags.probability(span)

    def _candidates(self, names: Iterable[str]) -> list[str]:
        """The concepts of these names, each once."""
        info = self.cdb.name2info
        return list(dict.fromkeys(cui for name in names for cui in info[name]["per_cui_status"]))

    def _entity(
        self,
        doc: MutableDocument,
        tokens: Sequence[MutableToken],
        name: str,
        candidates: Sequence[str],
    ) -> MutableEntity:
        first, last = tokens[0].base.index, tokens[-1].base.index
        entity = self.tokenizer.create_entity(doc, first, last + 1, label="concept")
        entity.detected_name, entity.link_candidates = name, list(candidates)
        entity.confidence = -1  # As MedCAT's own detection says: there is none.
        return entity


class _Word(NamedTuple):
    """A content word: its stem and its token, whether it begins and ends the token, and whether
    a comma, a slash or a coordination stands before it."""

    stem: str
    token: int
    first: bool
    last: bool
    joined: bool


def _word_runs(
    tokens: Sequence[MutableToken], known: set[str], longest: int
) -> Iterator[list[_Word]]:
    """All runs of whole tokens with at most `longest` content words, all of which names have."""
    for stretch in _stretches(tokens, known):
        for start, word in enumerate(stretch):
            if word.first:
                for end in range(start + 1, min(start + longest, len(stretch)) + 1):
                    if stretch[end - 1].last:
                        yield stretch[start:end]


def _stretches(tokens: Sequence[MutableToken], known: set[str]) -> Iterator[list[_Word]]:
    """Content words in a row, cut at breaks and at words that no name has."""
    stretch: list[_Word] = []
    joined = False
    for row, token in enumerate(tokens):
        words = WORD.findall(token.base.lower)
        joined = joined or _joins(token, words)
        # A possessive's "s" is no content word, and does not cut a stretch either.
        if words == ["s"] and row and tokens[row - 1].base.text.endswith(_APOSTROPHES):
            continue
        content = [(at, stem(word)) for at, word in enumerate(words) if word not in FUNCTION_WORDS]
        if not all(made in known for _, made in content) or _breaks(token, words):
            yield stretch
            stretch = []
        else:
            for at, made in content:
                stretch.append(_Word(made, row, at == 0, at == len(words) - 1, joined))
                joined = False  # Only the next content word is joined to what was before.
    yield stretch


def _joins(token: MutableToken, words: Sequence[str]) -> bool:
    joined = not COORDINATIONS.isdisjoint(words)
    return joined or (not words and not _JOINTS.isdisjoint(token.base.text))


def _breaks(token: MutableToken, words: Sequence[str]) -> bool:
    return not words and not _BREAKS.isdisjoint(token.base.text)


def _meant(abbreviation: Abbreviation, found: Entities) -> MutableEntity | None:
    """What was detected for the long form, or for its end where that is most of it.

    Its beginning says little: "Wiskott-Aldrich syndrome protein (WASP)".
    """
    start, end = abbreviation.long_span
    for at in range(start, (start + end) // 2 + 1):
        if Span(at, end) in found:
            return found[Span(at, end)]
    return None


def _tokens_of(
    span: Span, tokens: Sequence[MutableToken], starts: Sequence[int]
) -> Sequence[MutableToken]:
    """The tokens that make up exactly this span; none where one reaches out of it."""
    # From the token that holds the first character to the one that holds the last.
    first, last = bisect_right(starts, span.start) - 1, bisect_right(starts, span.end - 1)
    part = tokens[max(first, 0) : last]
    return part if part and _characters(part) == span else []


def _characters(tokens: Sequence[MutableToken]) -> Span:
    return Span(tokens[0].base.char_index, tokens[-1].base.char_index + len(tokens[-1].base.text))


def _span(entity: MutableEntity) -> Span:
    return Span(entity.base.start_char_index, entity.base.end_char_index)


def _checked(config: ComponentConfig) -> EmbedLinkNer:
    if isinstance(config, EmbedLinkNer):
        return config
    raise EmbedLinkError(
        f"config.components.ner is a {type(config).__name__}; {NER} takes an "
        "embedlink.detection.config.EmbedLinkNer"
    )
