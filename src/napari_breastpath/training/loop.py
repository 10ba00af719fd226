"""One fold's training: epochs of batches, a checkpoint after each, the same curve when resumed."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_breastpath.core.errors import InferenceError, ModelError
from napari_breastpath.core.progress import ProgressCallback
from napari_breastpath.models import choose_device
from napari_breastpath.training.config import Config
from napari_breastpath.training.losses import LOSSES
from napari_breastpath.training.progress import TrainingProgress
from napari_breastpath.training.sampling import Ints, draw, tile_shares
from napari_breastpath.training.scores import Tally, misclassified
from napari_breastpath.training.starting import frozen_norms, parameter_groups, starting_network
from napari_breastpath.training.tiles import Changed, Cutter, Drawn, Plain

if TYPE_CHECKING:
    import torch

Row: TypeAlias = dict[str, float]
LAST, BEST = "last.ckpt", "best.safetensors"
# Numbers that keep one random stream from another.
DRAWING, CHANGING, FEEDING, WEIGHING = 1, 2, 3, 4


DAMAGES = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


class Stopped(Exception):
    """The training was told to stop; the last whole epoch is on disk."""


@dataclass(frozen=True)
class Job:
    """One fold and what is needed to train it.

    Attributes
    ----------
    number : int
        Of the fold, from 1.
    config : Config
    training, validation : Cutter
    folder : Path
        Gets the checkpoints.
    device : str
        As `models.choose_device` takes it.
    progress : callable
    stop : threading.Event, optional
    """

    number: int
    config: Config
    training: Cutter
    validation: Cutter
    folder: Path
    device: str
    progress: ProgressCallback
    stop: threading.Event | None = None

    @property
    def shares(self) -> Any:
        """How often each training tile is drawn."""
        return tile_shares(self.training.tiles, self.training.samples)


@dataclass
class State:
    """What a checkpoint holds beside the tensors.

    Attributes
    ----------
    history : list of Row
        One row per finished epoch.
    wrong, right : list of int
        Tiles of the last epoch that were misclassified, and those that were not.
    """

    history: list[Row] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Lowest validation loss so far."""
        return min((row["val_loss"] for row in self.history), default=float("inf"))

    def is_finished(self, config: Config) -> bool:
        """Tell whether epochs, patience or minutes are used up."""
        losses = [row["val_loss"] for row in self.history]
        stale = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        minutes = sum(row["seconds"] for row in self.history) / 60
        out_of_time = 0 < config.fit.minutes <= minutes
        return len(losses) >= config.fit.epochs or stale >= config.fit.patience or out_of_time


class Trainer:
    """Network, optimiser and schedule of one fold, on one device.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job) -> None:
        import torch

        self.job, self.state = job, State()
        self.fabric = make_fabric(job.device, job.config.fit.precision)
        if job.config.fit.threads:
            torch.set_num_threads(job.config.fit.threads)
        torch.manual_seed(_mixed(job.config.seed, job.number, WEIGHING))
        network = starting_network(job.config).to(memory_format=torch.channels_last)
        self.frozen = frozen_norms(network, job.config.network.freeze_norm)
        optimizer = torch.optim.Adam(parameter_groups(network, job.config))
        self.network, self.optimizer = self.fabric.setup(network, optimizer)
        fit = job.config.fit
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=fit.reduce_by, patience=max(fit.reduce_after - 1, 0)
        )
        self.loss = LOSSES[fit.loss].function
        space = job.config.input
        mean, std = (torch.tensor(v, device=self.fabric.device) for v in (space.mean, space.std))
        self.scale, self.shift = (v.view(1, 3, 1, 1) for v in (1 / (255 * std), -mean / std))

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.state.history)

    def epochs(self) -> Iterator[list[Row]]:
        """Train; yield the history after each epoch until epochs, patience or minutes are used up.

        Raises
        ------
        Stopped
            `job.stop` was set; the last whole epoch is on disk.
        """
        while not self.state.is_finished(self.job.config):
            self._one_epoch()
            yield self.state.history

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return the network's answer, float32, to uint8 (N, h, w, 3) in its input space."""
        pixels = images.to(self.fabric.device).permute(0, 3, 1, 2).float()
        answer: torch.Tensor = self.network(pixels * self.scale + self.shift)
        return answer.float()

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        import torch

        path = self.job.folder / LAST
        if not path.exists():
            return
        try:
            kept = torch.load(path, map_location=self.fabric.device, weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.plateau.load_state_dict(kept["plateau"])
            self.state = State(**kept["state"])
        except DAMAGES as error:
            cause = f"cannot be gone on with ({type(error).__name__})"
            raise ModelError(path, cause, "train with --no-resume") from error

    def load_best(self) -> None:
        """Take the weights of the epoch with the lowest validation loss."""
        from safetensors.torch import load_file

        self.network.load_state_dict(load_file(self.job.folder / BEST))

    def validate(self) -> Tally:
        """Return what the network makes of the validation tiles."""
        import torch

        tally = Tally.empty(self.job.config)
        self.network.eval()
        with torch.inference_mode():
            for _, logits, truth, weight in self._batches(self._validation_set()):
                tally.loss_sum += float(self.loss(logits, truth, weight)) * len(logits)
                tally.weight += len(logits)
                tally.add(self.job.config, logits, truth, weight)
        return tally

    def _one_epoch(self) -> None:
        import torch

        started = time.monotonic()
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        torch.manual_seed(_mixed(self.job.config.seed, self.job.number, self.epoch))
        loss, wrong, right = self._train()
        tally = self.validate()
        figures = {f"val_{k}": v for k, v in tally.figures(self.job.config).items()}
        self.plateau.step(figures["val_loss"])
        seconds = round(time.monotonic() - started, 3)
        row = {"epoch": self.epoch + 1, "seconds": seconds, "rate": rate, "train_loss": loss}
        is_best = figures["val_loss"] < self.state.best or not self.state.history
        self.state.history.append(row | {"fed": len(self._fed())} | figures)
        self.state.wrong, self.state.right = wrong, right
        self._keep(is_best)
        self._tell(1, 1, self.state.history[-1])

    def _train(self) -> tuple[float, list[int], list[int]]:
        """Return the mean loss of an epoch's batches, and its wrong and right tiles."""
        data = Changed(self.job.training, self._drawn())
        self.network.train()
        for norm in self.frozen:
            norm.eval()
        losses, wrong, right = [], [], []
        steps = -(-len(data) // self.job.config.fit.batch)
        for step, (tiles, logits, truth, weight) in enumerate(self._batches(data)):
            losses.append(self._step(logits, truth, weight))
            bad = misclassified(self.job.config.task, logits.detach(), truth, weight).tolist()
            wrong += [int(tile) for tile, is_bad in zip(tiles, bad, strict=True) if is_bad]
            right += [int(tile) for tile, is_bad in zip(tiles, bad, strict=True) if not is_bad]
            self._tell(step + 1, steps)
        return round(float(np.mean(losses)), 6), wrong, right

    def _step(self, logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> float:
        loss = self.loss(logits, truth, weight)
        if not bool(loss.isfinite()):
            advice = "use a smaller fit.rate or precision = '32'"
            raise InferenceError(f"fold {self.job.number}", "the loss is not a number", advice)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        if self.job.config.fit.clip:
            self.fabric.clip_gradients(self.network, self.optimizer, self.job.config.fit.clip)
        self.optimizer.step()
        return float(loss.detach())

    def _batches(
        self, data: Plain | Changed
    ) -> Iterator[tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield (tiles, logits, truth, weight); the logits in float32."""
        import torch
        from torch.utils.data import DataLoader

        workers = self.job.config.fit.workers
        loader: Any = DataLoader(
            data,  # type: ignore[arg-type]
            batch_size=self.job.config.fit.batch,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            generator=torch.Generator(),
        )
        for tiles, *tensors in loader:
            if self.job.stop is not None and self.job.stop.is_set():
                raise Stopped
            truth, weight = (each.to(self.fabric.device) for each in tensors[1:])
            yield tiles, self.logits(tensors[0]), truth, weight

    def _drawn(self) -> list[Drawn]:
        """Return the tiles of the epoch to come; they follow from its number and the last one."""
        fit, seed = self.job.config.fit, (self.job.config.seed, self.job.number, self.epoch)
        rng = np.random.default_rng((*seed, DRAWING))
        drawn = draw(self.job.training.tiles, self.job.shares, fit.tiles, fit.balance, rng)
        fed = self._fed()
        chosen = [(int(tile), False) for tile in drawn] + [(tile, True) for tile in fed]
        order = rng.permutation(len(chosen))
        return [
            Drawn(chosen[k][0], (*seed, CHANGING, n), chosen[k][1]) for n, k in enumerate(order)
        ]

    def _fed(self) -> list[int]:
        """Return the negative feed of the epoch to come: wrong tiles and some right ones.

        Bootstrapping on mistakes (Sung and Poggio 1998), with right tiles so that what is known
        is not forgotten.
        """
        feed, config = self.job.config.feed, self.job.config
        rng = np.random.default_rng((config.seed, self.job.number, self.epoch, FEEDING))
        most = int(feed.wrong * config.fit.tiles)
        wrong = _some(self.state.wrong, most, rng)
        return wrong + _some(self.state.right, int(feed.right * len(wrong)), rng)

    def _validation_set(self) -> Plain:
        cutter = self.job.validation
        most = min(self.job.config.fit.validation_tiles, len(cutter.tiles))
        chosen = np.linspace(0, len(cutter.tiles) - 1, most).round().astype(np.int64)
        return Plain(cutter, np.unique(chosen))

    def _keep(self, is_best: bool) -> None:
        """Write the checkpoint, the best weights first: a crash between them repeats the epoch."""
        from safetensors.torch import save

        if is_best:
            tensors = {k: v.contiguous() for k, v in self.network.state_dict().items()}
            _write(self.job.folder / BEST, lambda path: path.write_bytes(save(tensors)))
        kept = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "state": vars(self.state),
        }
        _write(self.job.folder / LAST, lambda path: self.fabric.save(path, kept))

    def _tell(self, done: int, total: int, row: Row | None = None) -> None:
        numbers = self.job.number, self.epoch + (row is None), self.job.config.fit.epochs
        self.job.progress(TrainingProgress("training", done, total, 0.0, *numbers, row or {}))


def _some(tiles: list[int], most: int, rng: np.random.Generator) -> list[int]:
    unique = sorted(set(tiles))
    if len(unique) <= most:
        return unique
    picked: Ints = np.sort(rng.choice(unique, most, replace=False))
    return [int(tile) for tile in picked]


def _mixed(*numbers: int) -> int:
    """Return one seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _write(path: Path, write: Any) -> None:
    draft = path.with_name(f".{path.name}.part")
    write(draft)
    os.replace(draft, path)


def make_fabric(device: str, precision: str) -> Any:
    """Return Lightning's Fabric on a device: bfloat16 mixed on CUDA, else 32 bit.

    Raises
    ------
    InferenceError
        The device is not here, or Lightning is not installed.
    """
    try:
        from lightning.fabric import Fabric
    except ImportError as error:
        advice = 'pip install "napari-breastpath[train]"'
        raise InferenceError("training", "Lightning is not installed", advice) from error
    place = choose_device(device)
    half = precision == "bf16" or (precision == "auto" and place.kind == "cuda")
    return Fabric(accelerator=place.kind, devices=1, precision="bf16-mixed" if half else "32-true")
