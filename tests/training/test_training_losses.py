"""Losses against values worked out by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from napari_breastpath.training.losses import LOSSES

# Two pixels: chance 3/4 of a true one, 1/4 of a false one.
LOGIT = log(3)
LOGITS = torch.tensor([[[[LOGIT, -LOGIT]]]])
TRUTH = torch.tensor([[[[1.0, 0.0]]]])
ONES = torch.ones(1, 1, 2)
CROSS = log(4 / 3)
# Intersection 3/4, areas 1 and 1; with 1 added above and below the bars.
JACCARD = (0.75 + 1) / (2 - 0.75 + 1)
DICE = (2 * 0.75 + 1) / (2 + 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce", CROSS),
        ("bce_jaccard", CROSS + 1 - JACCARD),
        ("bce_dice", CROSS + 1 - DICE),
        ("focal", CROSS / 16),
        ("hinge", 0.0),
        ("rare_hinge", 0.0),
    ],
)
def test_one_class(name: str, expected: float) -> None:
    assert LOSSES[name].function(LOGITS, TRUTH, ONES).item() == pytest.approx(expected, abs=1e-6)


def test_a_margin_that_is_missed_costs_its_length() -> None:
    logits = torch.tensor([[[[0.5, 0.5]]]])
    assert LOSSES["hinge"].function(logits, TRUTH, ONES).item() == pytest.approx((0.5 + 1.5) / 2)


def test_the_rare_class_weighs_as_much_as_the_frequent_one() -> None:
    logits, truth = torch.zeros(1, 1, 1, 10), torch.zeros(1, 1, 1, 10)
    truth[..., 0] = 1
    logits[..., 0] = -3  # margin 4; the nine others have 1
    weight = torch.ones(1, 1, 10)
    assert LOSSES["hinge"].function(logits, truth, weight).item() == pytest.approx(1.3)
    assert LOSSES["rare_hinge"].function(logits, truth, weight).item() == pytest.approx(2.5)


def test_several_classes() -> None:
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 1.5]])
    truth, weight = torch.tensor([0, 1]), torch.ones(2)
    chances = exp(1) / (exp(1) + 2), exp(2) / (1 + exp(2) + exp(1.5))
    cross = -(log(chances[0]) + log(chances[1])) / 2
    assert LOSSES["cross_entropy"].function(logits, truth, weight).item() == pytest.approx(cross)
    assert LOSSES["hinge"].function(logits, truth, weight).item() == pytest.approx((0 + 0.5) / 2)


def test_dice_of_several_classes_counts_only_those_that_occur() -> None:
    logits = torch.tensor([[[[9.0, 9.0]], [[-9.0, -9.0]], [[-9.0, -9.0]]]])
    truth = torch.zeros(1, 1, 2, dtype=torch.int64)
    value = LOSSES["cross_entropy_dice"].function(logits, truth, torch.ones(1, 1, 2)).item()
    assert value == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_what_is_not_known_costs_nothing_and_gradients_are_finite(name: str) -> None:
    loss, classes = LOSSES[name], 1 if LOSSES[name].one else 3
    logits = torch.randn(2, classes, 4, 4, generator=torch.Generator().manual_seed(0))
    truth = torch.zeros(2, 4, 4, dtype=torch.int64) if classes > 1 else torch.zeros(2, 1, 4, 4)
    weight = torch.ones(2, 4, 4)
    weight[1] = 0
    spoilt = logits.clone()
    spoilt[1] = 50
    first, second = (loss.function(each, truth, weight) for each in (logits, spoilt))
    assert first.item() == pytest.approx(second.item(), abs=1e-6)
    logits.requires_grad_()
    loss.function(logits, truth, weight * 0).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
