"""Whether a link probability of 0.8 is right eight times of ten, and how to make it so."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata
from torch import Tensor

BINS = 15


def calibration_error(probability: Tensor, linked: Tensor, bins: int = BINS) -> float:
    """Expected calibration error over `bins` bins of equal mass, in [0, 1].

    Each bin has a mean probability and a share of linked detections. The error is the mean
    distance between the two, weighted by the detections of the bin (Naeini et al. 2015). Bins of
    equal mass follow Nixon et al. 2019. Equal probabilities share a bin. The error is 0 without
    detections.

    Shape: probability (detections,) in [0, 1]
    Shape: linked (detections,) bool
    """
    if not len(probability):
        return 0.0
    # Equal probabilities have the mean of their ranks, so they fall into one bin.
    order = torch.from_numpy(rankdata(probability.numpy())) - 0.5
    bin_of = (order * bins / len(probability)).long()
    distance = torch.bincount(bin_of, weights=probability.double() - linked.double())
    return float(distance.abs().sum() / len(probability))


def fit_platt(evidence: Tensor, right: Tensor) -> Tensor | None:
    """Weights that make `sigmoid(evidence @ weights)` a calibrated probability.

    This is the method of Platt 1999, for several kinds of evidence. His targets keep the fit finite
    if one plane separates the classes. Returns None if there is only one class, or if the first
    kind of evidence (the logit) has one value everywhere: then nothing can be fitted.

    Shape: evidence (detections, kinds)
    Shape: right (detections,) bool
    Returns: (kinds,)
    """
    good = int(right.sum())
    bad = len(right) - good
    if not good or not bad or float(evidence[:, 0].max() - evidence[:, 0].min()) < 1e-6:
        return None
    inputs = evidence.double().numpy()
    targets = np.where(right.numpy(), (good + 1) / (good + 2), 1 / (bad + 2))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Cross-entropy, and its gradient."""
        scaled = inputs @ weights
        value = np.mean(np.logaddexp(0, scaled) - targets * scaled)
        return float(value), inputs.T @ (expit(scaled) - targets) / len(targets)

    start = np.eye(1, inputs.shape[1])[0]  # The logit as it is.
    fitted = minimize(loss, start, jac=True, method="BFGS").x
    return torch.from_numpy(fitted).float()
