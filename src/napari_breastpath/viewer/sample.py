"""File ▸ Open Sample: the synthetic slide that comes with the package."""

from __future__ import annotations

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer.layers import LayerData, slide_layer


def sample_slide() -> list[LayerData]:
    """Return the layer of the packaged slide, whose tumour nests are known."""
    return [slide_layer(open_slide(sample_slide_path()))]
