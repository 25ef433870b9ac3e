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

    The mean distance between the mean probability and the share of linked detections of a bin,
    weighted by its detections (Naeini et al. 2015; equal mass as in Nixon et al. 2019). Equal
    probabilities share a bin. Shape: probability (detections,) in [0, 1], linked (detections,)
    bool. 0 without detections.
    """
    if not len(probability):
        return 0.0
    order = torch.from_numpy(rankdata(probability.numpy())) - 0.5
    bin_of = (order * bins / len(probability)).long()
    distance = torch.bincount(bin_of, weights=probability.double() - linked.double())
    return float(distance.abs().sum() / len(probability))


def fit_platt(logits: Tensor, tagged: Tensor, linked: Tensor) -> tuple[float, float, float]:
    """Weights of the logits and of the tagger's log odds, and a shift, that calibrate their sum.

    Platt 1999, with his targets, which keep the fit finite where one line parts the classes, for
    two inputs. (1, 0, 0), which changes nothing, where there is nothing to fit: one class only,
    equal logits, or logits that would have to be turned round. Shape: logits, tagged, linked
    (detections,); linked bool.
    """
    right = int(linked.sum())
    wrong = len(linked) - right
    nothing = (1.0, 0.0, 0.0)
    if not right or not wrong or float(logits.max() - logits.min()) < 1e-6:
        return nothing
    inputs = torch.stack([logits, tagged, torch.ones_like(logits)], 1).double().numpy()
    targets = np.where(linked.numpy(), (right + 1) / (right + 2), 1 / (wrong + 2))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Cross-entropy at (scale, tagged, shift), and its gradient."""
        scaled = inputs @ weights
        value = np.mean(np.logaddexp(0, scaled) - targets * scaled)
        return float(value), inputs.T @ (expit(scaled) - targets) / len(targets)

    scale, weight, shift = minimize(loss, nothing, jac=True, method="BFGS").x.tolist()
    return (scale, weight, shift) if scale > 0 else nothing
