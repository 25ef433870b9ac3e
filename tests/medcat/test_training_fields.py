import pytest
from torch import nn

from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.training_fields import training_fields
from embedlink.objective.losses import MarginalSoftmax, SampledSoftmax
from embedlink.objective.settings import BatchSettings, ObjectiveSettings, OptimizerSettings


@pytest.mark.parametrize(
    ("loss", "name"),
    [(MarginalSoftmax(), "marginal"), (SampledSoftmax(k=3), "sampled"), (nn.Identity(), "sampled")],
)
def test_a_pack_trains_on_as_its_run_did(loss, name):
    fields = training_fields(
        BatchSettings(unfreeze=3),
        ObjectiveSettings(targets="cuis"),
        OptimizerSettings(lr=0.5),
        loss,
    )
    config = EmbedLinkLinking(**fields)
    assert (config.top_n_layers_to_unfreeze, config.train_on_names) == (3, False)
    assert (config.learning_rate, config.loss) == (0.5, name)
    assert config.negative_sampling_k == getattr(loss, "k", config.negative_sampling_k)
