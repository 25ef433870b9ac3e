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
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.tokens import tokenise_names
from embedlink.encoder.windows import WindowCutter
from embedlink.files.digests import digest_of
from embedlink.files.pickling import PickledByValue
from embedlink.linking.mention_table import MentionTable
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
_LEAST_SHARE = 0.002
_LONGEST = 12  # characters of a short form


@dataclass(frozen=True)
class KnownSense:
    """A sense, with its concepts in the database. It has none if it is outside the database."""

    sense: Sense
    cuis: tuple[str, ...]


@dataclass
class SenseReader(PickledByValue):
    """Reads what short forms mean, with weights of its own.

    `encoder` has two towers. The note tower reads contexts. The name tower has the published
    weights, and it has encoded the long forms.
    """

    encoder: ContextEncoder
    tokenizer: PreTrainedTokenizerBase
    senses: Senses
    known: tuple[KnownSense, ...]  # in the order of `senses`
    vectors: Tensor  # (senses, dim) of length 1, of the long forms
    context_window: int  # words on each side
    max_tokens: int

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
        tokens = tokenise_names(tokenizer, [sense.long_form for sense in senses], max_tokens)
        vectors = own.encode(tokens, progress="Encoding long forms")
        return cls(own, tokenizer, senses, known, vectors, context_window, max_tokens)

    def __post_init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        for row, each in enumerate(self.known):
            self._rows.setdefault(each.sense.short_form, []).append(row)

    def read(self, documents: Sequence[tuple[str, Sequence[Detection]]]) -> list[list[Detection]]:
        """The detections of each text, with what the short forms that are listed mean.

        `outside` is set, and of several candidates the most probable stay. A short form is left
        unchanged if the text itself spells it out: its meaning is known.
        """
        found = [list(detections) for _, detections in documents]
        asked = [
            (at, place, rows)
            for at, (text, detections) in enumerate(documents)
            for place, rows in self._listed(text, detections)
        ]
        if not asked:
            return found
        cutter = WindowCutter(self.tokenizer, self.context_window, self.max_tokens)
        texts = [
            (text, [_span(found[at][place]) for at, place, _ in asked if at == number])
            for number, (text, _) in enumerate(documents)
        ]
        contexts = self.encoder.encode(cutter(texts))  # (asked, dim)
        for context, (at, place, rows) in zip(contexts, asked, strict=True):
            found[at][place] = self._meant(found[at][place], context, rows)
        return found

    def read_table(self, table: MentionTable, names: ConceptNames) -> MentionTable:
        """A copy of a mention table, with what the short forms that are listed mean."""
        texts = [document.text for document in table.documents]
        return table.meaning(self.read(list(zip(texts, table.detections, strict=True))), names)

    def _listed(self, text: str, detections: Sequence[Detection]) -> list[tuple[int, list[int]]]:
        """Positions of the detections that the table lists, with the rows of their senses."""
        listed = []
        defined: set[str] | None = None
        for place, detection in enumerate(detections):
            surface = text[detection.start : detection.end]
            senses = self.senses.find(surface) if len(surface) <= _LONGEST else ()
            if not senses:
                continue
            if defined is None:  # Looked for only if there is a short form at all.
                defined = {found.short for found in abbreviations(text)}
            if surface not in defined:
                listed.append((place, self._rows[senses[0].short_form]))
        return listed

    def _meant(self, detection: Detection, context: Tensor, rows: list[int]) -> Detection:
        """The detection with the candidates that are most probably meant, and `outside`.

        Without candidates `outside` is the probability of no concept at all.

        Shape: context (dim,) of length 1
        """
        candidates = detection.candidates
        cosines = (self.vectors[rows] @ context).tolist()
        logits = [
            SCALE * cosine + math.log(max(self.known[row].sense.share, _LEAST_SHARE))
            for cosine, row in zip(cosines, rows, strict=True)
        ]
        inside = [self._is_inside(row, candidates) for row in rows]
        if candidates and not any(inside):
            # No sense of the table is a candidate. So a candidate gets the mean cosine of all.
            logits.append(SCALE * sum(cosines) / len(cosines) + math.log(UNLISTED))
            inside.append(True)
        shares = torch.softmax(torch.tensor(logits), 0)
        outside = float(shares[~torch.tensor(inside)].sum())
        of_candidate = dict.fromkeys(candidates, 0.0)
        for row, share in zip(rows, shares.tolist(), strict=False):  # Without what is not listed.
            for cui in of_candidate.keys() & set(self.known[row].cuis):
                of_candidate[cui] += share
        most = max(of_candidate.values(), default=0.0)
        kept = tuple(cui for cui in candidates if of_candidate[cui] == most)
        return replace(detection, candidates=kept, outside=outside)

    def _is_inside(self, row: int, candidates: Sequence[str]) -> bool:
        cuis = self.known[row].cuis
        return any(cui in candidates for cui in cuis) if candidates else bool(cuis)

    def digest(self) -> str:
        """A digest that changes with every weight, sense and share."""
        said = [(asdict(each.sense), each.cuis) for each in self.known]
        return digest_of(json.dumps(said), self.encoder.note_layers.state_dict())

    def save(self, folder: Path) -> None:
        """Write the senses, the vectors of their long forms and the note tower's own layers."""
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "context_window": self.context_window,
            "max_tokens": self.max_tokens,
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
        cls,
        folder: Path,
        encoder: ContextEncoder,
        tokenizer: PreTrainedTokenizerBase,
        weights: dict[str, Tensor],
    ) -> "SenseReader":
        """Read a sense reader back from its folder and from `weights`, the tensors of its file.

        The layers below its own are copied from `encoder`, which is the linker's. Raises
        `EmbedLinkError` if the two files do not fit each other or the encoder.
        """
        try:
            described = json.loads((folder / SENSES).read_text("utf-8"))
            known = tuple(
                KnownSense(
                    Sense(each["short_form"], each["long_form"], each["share"], each["source"]),
                    tuple(each["cuis"]),
                )
                for each in described["senses"]
            )
            window, limit = int(described["context_window"]), int(described["max_tokens"])
            vectors = weights.pop("vectors")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmbedLinkError(
                f"{folder / SENSES}: this part of the linker is missing or corrupt"
            ) from error
        own = ContextEncoder(copy.deepcopy(encoder.language_model), towers="two")
        layers = {key.removeprefix("note_layers."): tensor for key, tensor in weights.items()}
        own.grow_note_tower(len({key.split(".")[0] for key in layers}))
        try:
            own.note_layers.load_state_dict(layers)
        except RuntimeError as error:
            raise EmbedLinkError(f"{folder / WEIGHTS}: the weights do not fit: {error}") from error
        if vectors.shape != (len(known), own.dim):
            raise EmbedLinkError(f"{folder / WEIGHTS}: {len(vectors)} vectors, {len(known)} senses")
        senses = Senses.of(each.sense for each in known)
        return cls(own.eval(), tokenizer, senses, known, vectors, window, limit)


def _span(detection: Detection) -> tuple[int, int]:
    return detection.start, detection.end
