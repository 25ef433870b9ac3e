"""What a short form means in its context: a concept of the database, or something outside it.

A closed database knows one meaning of "PCP", but notes use several. An encoder that learned from
notes without labels reads the context of each short form that the table of senses lists. It
compares the context with the long form of every sense. The senses' shares are the prior.
`Detection.outside` then says how probable a meaning outside the database is.
"""

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.shared_windows import encode_together
from embedlink.encoder.tokens import tokenise_names
from embedlink.encoder.windows import WindowCutter
from embedlink.files.digests import digest_of
from embedlink.files.pickling import PickledByValue
from embedlink.linking.consistency import drawn_together, surfaces_of
from embedlink.linking.known_senses import LONGEST, KnownSense, NamedInFull
from embedlink.linking.mention_table import MentionTable
from embedlink.linking.parts import DAMAGED, read_json, read_tensors, under
from embedlink.problems import EmbedLinkError
from embedlink.senses.known import concepts_of_senses
from embedlink.senses.table import Sense, Senses
from embedlink.text.abbreviations import abbreviations
from embedlink.types import Detection

SENSES, WEIGHTS = "senses.json", "senses.safetensors"
SCALE = 20.0
"""A cosine is multiplied by this before it is added to the logarithm of a share."""
UNLISTED = 0.05
"""Share of a candidate that has the short form as a name and that the table does not list."""
NAMED = 1.5
"""What the log odds of a sense gain if the text names it in full elsewhere."""
_LEAST_SHARE = 0.002


@dataclass
class SenseReader(PickledByValue):
    """Reads what short forms mean, with weights of its own.

    `encoder` has two towers. The note tower reads contexts. The name tower has the published
    weights, and it has encoded the long forms.
    """

    encoder: ContextEncoder
    cutter: WindowCutter  # of windows around short forms, with the linker's tokenizer
    senses: Senses
    known: tuple[KnownSense, ...]  # in the order of `senses`
    vectors: Tensor  # (wordings, dim) of length 1, sense by sense

    @classmethod
    def untrained(
        cls,
        encoder: ContextEncoder,
        tokenizer: PreTrainedTokenizerBase,
        senses: Senses,
        names: ConceptNames,
        *,
        layers: int,
        context_window: int,
        max_tokens: int,
    ) -> "SenseReader":
        """Start from the published weights of a linker's encoder. The encoder itself is copied.

        `layers` is the number of top layers of the note tower that can train.
        """
        own = ContextEncoder(
            copy.deepcopy(encoder.language_model), unfreeze=layers, towers="two"
        ).eval()
        concepts = concepts_of_senses(senses, names)
        known = tuple(
            KnownSense(sense, tuple(names.cuis[row] for row in concepts[sense])) for sense in senses
        )
        wordings = [wording for each in known for wording in each.sense.wordings]
        tokens = tokenise_names(tokenizer, wordings, max_tokens)
        vectors = own.encode(tokens, progress="Encoding long forms")
        return cls(
            own,
            WindowCutter(tokenizer, context_window, max_tokens),
            senses=senses,
            known=known,
            vectors=vectors,
        )

    def __post_init__(self) -> None:
        sizes = [len(each.sense.wordings) for each in self.known]
        self._first = [0, *accumulate(sizes)]  # The first wording of each sense.
        self._rows: dict[str, list[int]] = {}
        for row, each in enumerate(self.known):
            self._rows.setdefault(each.sense.short_form, []).append(row)

    def read(
        self, documents: Sequence[tuple[str, Sequence[Detection]]], consistency: float = 0.0
    ) -> list[list[Detection]]:
        """The detections of each text, with what the short forms that are listed mean.

        `outside` is set, and the candidates become the concepts that are most probably meant. A
        short form is left unchanged if the text itself spells it out: its meaning is known. With
        `consistency` (0 to 1) the places of one short form in a text share their contexts.
        """
        found = [list(detections) for _, detections in documents]
        asked = []
        for at, (text, detections) in enumerate(documents):
            for place, rows in self._listed(text, detections):
                settled = self._settled(detections[place], rows)
                if settled is None:
                    asked.append((at, place, rows))
                else:
                    found[at][place] = settled
        if not asked:
            return found
        texts = [
            (text, [_span(found[at][place]) for at, place, _ in asked if at == number])
            for number, (text, _) in enumerate(documents)
        ]
        contexts = encode_together(self.encoder, self.cutter, texts)  # (asked, dim)
        contexts = drawn_together(contexts, surfaces_of(texts), consistency)
        named = [NamedInFull(text, detections) for text, detections in documents]
        for context, (at, place, rows) in zip(contexts, asked, strict=True):
            likely = [named[at].holds(self.known[row]) for row in rows]
            found[at][place] = self._meant(found[at][place], context, rows, likely)
        return found

    def read_table(
        self, table: MentionTable, names: ConceptNames, consistency: float = 0.0
    ) -> MentionTable:
        """A copy of a mention table, with what the short forms that are listed mean."""
        texts = [document.text for document in table.documents]
        documents = list(zip(texts, table.detections, strict=True))
        return table.meaning(self.read(documents, consistency), names)

    def _listed(self, text: str, detections: Sequence[Detection]) -> list[tuple[int, list[int]]]:
        """Positions of the detections that the table lists, with the rows of their senses."""
        listed = []
        defined: set[str] | None = None
        for place, detection in enumerate(detections):
            surface = text[detection.start : detection.end]
            senses = self.senses.find(surface) if len(surface) <= LONGEST else ()
            if not senses:
                continue
            if defined is None:  # Looked for only if there is a short form at all.
                defined = {found.short for found in abbreviations(text)}
            if surface not in defined:
                listed.append((place, self._rows[senses[0].short_form]))
        return listed

    def _settled(self, detection: Detection, rows: list[int]) -> Detection | None:
        """The detection with its meaning, if no context could change that. Otherwise None."""
        meant = {self.known[row].among(detection.candidates) for row in rows}
        outcomes = meant | set(self._unlisted(detection, rows))
        if len(outcomes) > 1:
            return None
        [cuis] = outcomes
        return replace(detection, candidates=cuis, outside=float(not cuis))

    def _unlisted(self, detection: Detection, rows: list[int]) -> list[tuple[str, ...]]:
        """The candidates that are no sense of the table, as one meaning. Empty if there is none."""
        listed = {cui for row in rows for cui in self.known[row].cuis}
        unlisted = tuple(cui for cui in detection.candidates if cui not in listed)
        return [unlisted] if unlisted else []

    def _meant(
        self, detection: Detection, context: Tensor, rows: list[int], named: list[bool]
    ) -> Detection:
        """The detection with the concepts that are most probably meant, and `outside`.

        A sense that is a concept of the database is that concept, even if detection did not
        propose it. `outside` is the probability of all senses that are none.

        Shape: context (dim,) of length 1
        """
        candidates = detection.candidates
        meant = [self.known[row].among(candidates) for row in rows]
        cosines = [self._cosine(row, context) for row in rows]
        logits = [
            SCALE * cosine + math.log(max(self.known[row].sense.share, _LEAST_SHARE)) + NAMED * full
            for cosine, row, full in zip(cosines, rows, named, strict=True)
        ]
        for unlisted in self._unlisted(detection, rows):
            # The context says nothing of them, so they get the mean cosine.
            logits.append(SCALE * sum(cosines) / len(cosines) + math.log(UNLISTED))
            meant.append(unlisted)
        shares = torch.softmax(torch.tensor(logits), 0).tolist()
        of_concept: dict[str, float] = {}
        outside = 0.0
        for cuis, share in zip(meant, shares, strict=True):
            outside += 0.0 if cuis else share
            for cui in cuis:
                of_concept[cui] = of_concept.get(cui, 0.0) + share
        most = max(of_concept.values(), default=0.0)
        kept = tuple(cui for cui, share in of_concept.items() if share == most)
        return replace(detection, candidates=kept, outside=outside)

    def _cosine(self, row: int, context: Tensor) -> float:
        """How near a context is to the nearest wording of a sense. Shape: context (dim,)."""
        wordings = slice(self._first[row], self._first[row + 1])
        return float((self.vectors[wordings] @ context).max())

    def digest(self) -> str:
        """A digest that changes with every weight, sense and share."""
        said = [(asdict(each.sense), each.cuis) for each in self.known]
        return digest_of(json.dumps(said), self.encoder.note_layers.state_dict())

    def save(self, folder: Path) -> None:
        """Write the senses, the vectors of their long forms and the note tower's own layers."""
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "context_window": self.cutter.context_window,
            "max_tokens": self.cutter.max_tokens,
            "senses": [asdict(each.sense) | {"cuis": each.cuis} for each in self.known],
        }
        (folder / SENSES).write_text(
            json.dumps(described, indent=1, ensure_ascii=False), encoding="utf-8"
        )
        layers = self.encoder.note_layers.state_dict()
        weights = {f"note_layers.{key}": tensor for key, tensor in layers.items()}
        weights["vectors"] = self.vectors
        save_file({k: t.detach().cpu().contiguous() for k, t in weights.items()}, folder / WEIGHTS)

    @classmethod
    def load(
        cls, folder: Path, encoder: ContextEncoder, tokenizer: PreTrainedTokenizerBase
    ) -> "SenseReader":
        """Read a sense reader back from its folder.

        The layers below its own are copied from `encoder`, which is the linker's. Raises
        `EmbedLinkError` if a file is missing, or if the two do not fit each other or the encoder.
        """
        described, weights = read_json(folder / SENSES), read_tensors(folder / WEIGHTS)
        try:
            known = tuple(
                KnownSense(
                    Sense(
                        each["short_form"],
                        each["long_form"],
                        share=each["share"],
                        source=each["source"],
                        also=tuple(each.get("also", ())),
                    ),
                    tuple(each["cuis"]),
                )
                for each in described["senses"]
            )
            window, limit = int(described["context_window"]), int(described["max_tokens"])
            vectors = weights["vectors"]
        except (ValueError, KeyError, TypeError) as error:
            raise EmbedLinkError(f"{folder / SENSES}: {DAMAGED}") from error
        own = ContextEncoder(copy.deepcopy(encoder.language_model), towers="two")
        layers = under("note_layers.", weights)
        own.grow_note_tower(len({key.split(".")[0] for key in layers}))
        try:
            own.note_layers.load_state_dict(layers)
        except RuntimeError as error:
            raise EmbedLinkError(f"{folder / WEIGHTS}: the weights do not fit: {error}") from error
        wordings = sum(len(each.sense.wordings) for each in known)
        if vectors.shape != (wordings, own.dim):
            raise EmbedLinkError(f"{folder / WEIGHTS}: {len(vectors)} vectors, {wordings} wordings")
        senses = Senses.of(each.sense for each in known)
        cutter = WindowCutter(tokenizer, window, limit)
        return cls(own.eval(), cutter, senses=senses, known=known, vectors=vectors)


def _span(detection: Detection) -> tuple[int, int]:
    return detection.start, detection.end
