"""Writes the tables of settings: `python -m embedlink.experiment.settings_table`."""

import re
from pathlib import Path

from embedlink.experiment.registry import settings_by_key, settings_table
from embedlink.experiment.resolvers import PROJECT_ROOT

TABLE, README = PROJECT_ROOT / "conf" / "README.md", PROJECT_ROOT / "README.md"
HEAD = """# Settings

Every setting of `train.py`, as `python train.py --help` shows it with the values of your choices.
A file of this folder may set another value. This table is written by
`python -m embedlink.experiment.settings_table` from the typed classes of `src/embedlink`.

"""
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"
"""The marks around the table in the README."""
CHOICES = """| `model` | `minilm`, `medembed`; any hub id or folder as `model.encoder=` | `minilm` |
| `data` | `demo`, `ncbi`, `distemist`, `snomed`, `cometa`, `bc5cdr`, `medcattrainer`, `all` | `demo` |
| `split` | `random` or `official`: the parts that the corpus publishes | by `data` |
| `detection` | `learned`: a tagger learns what annotators mark; `variants`: other spellings, abbreviations; `vocabulary`: MedCAT's alone. Each includes the next | `learned` |
| `objective` | `marginal` (all synonyms are positives), `sampled` (one positive, k hard negatives), `multi_similarity` | `marginal` |
| `pretraining` | `short_forms`: learn from notes without labels what short forms mean; `synonyms`: learn from the concept database alone; `null`: neither | `short_forms` |
| `reranker` | `cross_encoder`: read a mention with each of the nearest concepts' names again | |
"""  # noqa: E501
COMMON = (
    "data_dir", "data.concepts", "data.unlabelled", "data.senses", "context_window", "unfreeze",
    "seed", "split_seed", "targets", "nil_weight", "operating_point", "optimizer.lr",
    "trainer.max_epochs",
)  # fmt: skip
"""The settings that the README shows after the choices of each group."""


def write(table: Path = TABLE, readme: Path = README) -> None:
    """Write both tables anew."""
    known = settings_by_key()
    table.write_text(HEAD + settings_table(known) + "\n", encoding="utf-8")
    shown = settings_table({key: known[key] for key in COMMON})
    head, rows = re.split(r"(?<=\|---\|\n)", shown, maxsplit=1)
    text = readme.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{head}{CHOICES}{rows}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
