"""How much of each stain a pixel holds, in closed form, and what it looks like in other stains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_breastpath.preprocess.optical_density import (
    Floats,
    Rgb,
    density_table,
    optical_density,
)

if TYPE_CHECKING:
    import torch

REGULARIZER = 0.01
COLOURS = 1 << 24
# Reds per step while the table is built: 8 × 256 × 256 float64 planes stay in the cache.
REDS_PER_STEP = 8
# Pixels per step on a CPU, so that index and result stay in the cache: 0.2 against 2 ms per
# tile of 256 × 256.
PIXELS_PER_STEP = 1 << 18


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


def colour_table(
    source: Floats, target: Floats, scale: Floats, regularizer: float = REGULARIZER
) -> torch.Tensor:
    """Return the colour that each of the 2²⁴ colours becomes.

    A colour's new value depends on nothing but the colour and the two matrices, so the whole
    transform is this table, made once per slide, on the CPU: every device then gives the same
    pixels.

    Parameters
    ----------
    source, target : (2, 3) float64
        Stain matrices.
    scale : (2,) float64
        Factor on each concentration, maximum of the target over that of the source.

    Returns
    -------
    (2²⁴, 3) uint8 tensor
        At index 65536·r + 256·g + b; truncated, not rounded, as StainTools does.
    """
    import torch

    weights, offsets = active_sets(source, regularizer)
    scales = np.concatenate([scale, scale])
    per_channel = torch.from_numpy((weights * scales[:, None])[:, :, None] * density_table())
    green_blue = per_channel[:, 1, :, None] + per_channel[:, 2, None, :]
    reds = per_channel[:, 0] + torch.from_numpy(offsets * scales)[:, None]
    pick = torch.minimum if source[0] @ source[1] >= 0 else torch.maximum
    table = torch.empty((256, 256, 256, 3), dtype=torch.uint8)
    for start in range(0, 256, REDS_PER_STEP):
        step = slice(start, start + REDS_PER_STEP)
        planes = reds[:, step, None, None] + green_blue[:, None]
        amounts = pick(planes[:2], planes[2:]).clamp_(min=0).float()
        table[step] = _recompose(amounts, torch.from_numpy(target).float())
    return table.view(COLOURS, 3)


def _recompose(amounts: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return 255·exp(−s·W) as (…, 3) uint8 for the two planes of `amounts`."""
    import torch

    channels = [
        (amounts[0] * -target[0, k] - amounts[1] * target[1, k]).exp_().mul_(255) for k in range(3)
    ]
    return torch.stack(channels, dim=-1).clamp_(max=255).to(torch.uint8)


def look_up(table: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Return `table` at each of the (n, 3) uint8 pixels; both on one device, no synchronisation."""
    import torch

    if pixels.device.type != "cpu":
        return table.index_select(0, _index(pixels))
    changed = torch.empty_like(pixels)
    for start in range(0, len(pixels), PIXELS_PER_STEP):
        step = slice(start, start + PIXELS_PER_STEP)
        torch.index_select(table, 0, _index(pixels[step]), out=changed[step])
    return changed


def _index(pixels: torch.Tensor) -> torch.Tensor:
    """Return 65536·r + 256·g + b of (n, 3) uint8, (n,) int32."""
    import torch

    red, green, blue = pixels.unbind(-1)
    return red.to(torch.int32).mul_(256).add_(green).mul_(256).add_(blue)
