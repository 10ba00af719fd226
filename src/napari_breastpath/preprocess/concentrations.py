"""How much of each stain a pixel holds, in closed form."""

from __future__ import annotations

import numpy as np

from napari_breastpath.preprocess.optical_density import Floats, Rgb, optical_density

REGULARIZER = 0.01


def active_sets(stain_matrix: Floats, regularizer: float) -> tuple[Floats, Floats]:
    """Return the four affine functions of optical density among which the solution lies.

    With c = W·v − λ and G = W·Wᵀ the rows are both stains present (G⁻¹c) and each alone (cₖ / Gₖₖ).

    Returns
    -------
    weights : (4, 3) float64
    offsets : (4,) float64
    """
    gram = stain_matrix @ stain_matrix.T
    inverse, diagonal = np.linalg.inv(gram), np.diag(gram)
    weights = np.concatenate([inverse @ stain_matrix, stain_matrix / diagonal[:, None]])
    offsets = -regularizer * np.concatenate([inverse.sum(axis=1), 1 / diagonal])
    return weights, offsets


def concentrations(rgb: Rgb, stain_matrix: Floats, regularizer: float = REGULARIZER) -> Floats:
    """Return the amount of each stain in each pixel.

    The exact minimiser of ½‖Wᵀs − v‖² + λ·Σs over s ≥ 0 (Vahadane 2016, eq. 4 with W fixed), the
    problem that StainTools' `get_concentrations` hands to SPAMS. The joint solution is the smaller
    one exactly where the other stain is present (W ≥ 0), so picking the active set is a minimum.

    Parameters
    ----------
    rgb : (…, 3) uint8
    stain_matrix : (2, 3) float64
        Rows of length 1, in optical density.
    regularizer : float
        λ.

    Returns
    -------
    (…, 2) float64
        Non-negative, in optical density.
    """
    weights, offsets = active_sets(stain_matrix, regularizer)
    joint_and_alone = optical_density(rgb) @ weights.T + offsets
    pick = np.minimum if stain_matrix[0] @ stain_matrix[1] >= 0 else np.maximum
    picked: Floats = pick(joint_and_alone[..., :2], joint_and_alone[..., 2:])
    return np.maximum(picked, 0.0)
