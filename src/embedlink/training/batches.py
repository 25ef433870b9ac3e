"""The batch that is only encoded, in validation and test.

Lightning moves it to the device by its types. Windows can be moved, so they are. Row numbers are
plain integers, so they stay where the evaluation reads them.
"""

from typing import NamedTuple

from embedlink.encoder.tokens import EncoderBatch


class EncodeBatch(NamedTuple):
    """Windows of a split, with the rows that tell evaluation whose vectors come back."""

    rows: list[int]  # (batch,) rows of the split's mention table
    windows: EncoderBatch
