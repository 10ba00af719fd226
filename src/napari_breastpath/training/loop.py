"""One fold's training: epochs of batches, a checkpoint after each, the same curve when resumed."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_breastpath.core.errors import InferenceError, ModelError
from napari_breastpath.core.progress import ProgressCallback
from napari_breastpath.models import choose_device
from napari_breastpath.training.config import Config
from napari_breastpath.training.feeding import epoch_tiles, fed_tiles
from napari_breastpath.training.losses import LOSSES
from napari_breastpath.training.progress import TrainingProgress
from napari_breastpath.training.scores import Tally, misclassified
from napari_breastpath.training.starting import frozen_norms, parameter_groups, starting_network
from napari_breastpath.training.state import Row, State
from napari_breastpath.training.tiles import Changed, Cutter, Plain

if TYPE_CHECKING:
    import torch

LAST, BEST = "last.ckpt", "best.safetensors"
# Keeps the seed of the first weights from those of epochs.
WEIGHING = 4


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
        fed = len(fed_tiles(self.job.config, self.state, self.job.number))
        self.state.history.append(row | {"fed": fed} | figures)
        self.state.wrong, self.state.right = wrong, right
        self._keep(is_best)
        self._tell(1, 1, self.state.history[-1])

    def _train(self) -> tuple[float, list[int], list[int]]:
        """Return the mean loss of an epoch's batches, and its wrong and right tiles."""
        drawn = epoch_tiles(self.job.training, self.state, self.job.number)
        data = Changed(self.job.training, drawn)
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
    index = place.name.partition(":")[2]
    devices: Any = [int(index)] if index else 1
    kind: Any = "bf16-mixed" if half else "32-true"
    return Fabric(accelerator=place.kind, devices=devices, precision=kind)
