"""How MedCAT makes a component: it hands over five values, which arrive here as one bundle."""

from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from medcat.cdb import CDB
from medcat.config.config import ComponentConfig
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.vocab import Vocab

from embedlink.problems import EmbedLinkError


class Pipeline(NamedTuple):
    """The parts of a MedCAT pipeline that a component may use."""

    config: ComponentConfig  # the component's own
    tokenizer: BaseTokenizer
    cdb: CDB
    vocab: Vocab
    pack: Path | None  # the model pack that is being loaded, if it lacks the component's folder


Config = TypeVar("Config", bound=ComponentConfig)


def checked(config: ComponentConfig, kind: type[Config], *, component: str) -> Config:
    """The configuration, if it is of the kind that the component takes.

    Raises `EmbedLinkError` that names both if it is of another kind.
    """
    if isinstance(config, kind):
        return config
    raise EmbedLinkError(
        f"the configuration of {component} is a {type(config).__name__}; it takes an "
        f"{kind.__module__}.{kind.__qualname__}"
    )


class MadeByMedCAT:
    """A component that MedCAT makes by name. Inherit from it before MedCAT's own classes."""

    @classmethod
    def create_new_component(
        cls,
        cnf: ComponentConfig,
        tokenizer: BaseTokenizer,
        cdb: CDB,
        vocab: Vocab,
        model_load_path: str | None,
    ) -> Self:
        """Make the component. MedCAT calls this, also if a model pack lacks the component."""
        pack = None if model_load_path is None else Path(model_load_path)
        return cls.made_in(Pipeline(cnf, tokenizer, cdb=cdb, vocab=vocab, pack=pack))

    @classmethod
    def made_in(cls, pipeline: Pipeline) -> Self:
        """Make the component for this pipeline. Each component has its own way."""
        raise NotImplementedError
