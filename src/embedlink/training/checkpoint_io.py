"""Checkpoints that are written whole or not at all.

Lightning passes a checkpoint through the system's temporary folder and copies it to its place. If
that folder is small, training ends, and a run that is killed while it copies leaves half a
`last.ckpt`.
"""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from embedlink.files.atomic import file_written_aside


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it, so that the earlier one stays whole."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint that its owner alone can read.

        Raises `EmbedLinkError` if the disk is full or the place is read-only.
        """
        with file_written_aside(Path(path), private=True) as aside:
            torch.save(checkpoint, aside)
