"""The training settings of a run as fields of MedCAT's component.

A pack holds them, so that training inside MedCAT goes on with the settings of the run.
"""

from torch import nn

from embedlink.objective.losses import MarginalSoftmax, SampledSoftmax
from embedlink.objective.settings import BatchSettings, ObjectiveSettings, OptimizerSettings


def training_fields(
    batch: BatchSettings,
    objective: ObjectiveSettings,
    optimizer: OptimizerSettings,
    loss: nn.Module,
) -> dict[str, object]:
    """The fields of `EmbedLinkLinking` for training, with the values of a run.

    If the component does not know the loss, its default loss stays.
    """
    fields: dict[str, object] = {
        "top_n_layers_to_unfreeze": batch.unfreeze,
        "training_batch_size": batch.batch_size,
        "seed": batch.seed,
        "train_on_names": objective.targets == "names",
        "nil_weight": objective.nil_weight,
        "learning_rate": optimizer.lr,
        "weight_decay": optimizer.weight_decay,
        "gradient_clip_val": optimizer.gradient_clip_val,
    }
    if isinstance(loss, MarginalSoftmax):
        fields["loss"] = "marginal"
    if isinstance(loss, SampledSoftmax):
        fields |= {
            "loss": "sampled",
            "negative_sampling_k": loss.k,
            "negative_sampling_candidate_pool_size": loss.pool_size,
            "negative_sampling_temperature": loss.temperature,
        }
    return fields
