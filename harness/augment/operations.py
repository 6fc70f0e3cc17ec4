"""The registry: every operation is one row, and knows its family.

    OPERATIONS                   name -> Operation
    FAMILIES                     names of the families
    Operation.apply              pictures, strengths, keys -> pictures

Strength runs from 0 (the picture itself, exactly) to 1; a suite's five strengths are fifths of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.augment import (
    blur,
    colour,
    geometry,
    light,
    noise,
    occlusion,
    overlay,
    resolution,
)

BLOCK = 8  # pictures at once: what an operation works on stays in the processor's cache

# The C library hands freed memory back to the system and asks for it anew, which costs a third of
# the time, until a block of nearly 32 MiB has been freed once (glibc's dynamic threshold). This
# one is never touched, so it costs nothing.
np.empty(31 << 20, np.uint8)

Function = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Operation:
    """A distortion. ``function`` sees pictures whose strength is above 0 only."""

    name: str
    family: str
    function: Function

    def apply(self, images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """uint8 (n, H, W, 3) distorted with ``strength`` (n,) in 0..1; ``keys`` uint64 (n,) hold
        what is random.

        A picture's result depends on its own pixels, strength and key alone.
        """
        strength = np.clip(np.asarray(strength, np.float32), 0, 1)
        if not (strength > 0).all():
            active = np.flatnonzero(strength > 0)
            result = images.copy()
            result[active] = self.apply(images[active], strength[active], keys[active])
            return result
        result = np.empty_like(images)
        for start in range(0, len(images), BLOCK):
            part = slice(start, start + BLOCK)
            result[part] = self.function(images[part], strength[part], keys[part])
        return result


ROWS = {
    "blur": (blur.gaussian_blur, blur.motion_blur, blur.defocus, blur.median, blur.sharpen,
             blur.glass, blur.zoom_blur),
    "noise": (noise.gaussian_noise, noise.shot_noise, noise.speckle, noise.salt_pepper,
              noise.grain, noise.dither, noise.banding),
    "resolution": (resolution.jpeg, resolution.downscale, resolution.pixelate,
                   resolution.lost_blocks),
    "light": (light.brightness, light.exposure, light.contrast, light.gamma, light.curves,
              light.autocontrast, light.equalize, light.vignette, light.gradient, light.clahe),
    "colour": (colour.stain, colour.density, colour.hue, colour.saturation, colour.grey,
               colour.white_balance, colour.channel_shift, colour.channel_order,
               colour.channel_mix, colour.fringes, colour.invert, colour.solarise,
               colour.posterise, colour.false_colour),
    "geometry": (geometry.flip, geometry.turn, geometry.translate, geometry.rotate,
                 geometry.zoom, geometry.stretch, geometry.shear, geometry.perspective,
                 geometry.elastic, geometry.barrel),
    "occlusion": (occlusion.erase, occlusion.grid_mask, occlusion.holes, occlusion.bubbles,
                  occlusion.deposit, occlusion.hairs, occlusion.dust),
    "overlay": (overlay.fog, overlay.haze, overlay.smear, overlay.shadow, overlay.ghost,
                overlay.stripes, overlay.strokes),
}
FAMILIES = tuple(ROWS)
OPERATIONS = {function.__name__: Operation(function.__name__, family, function)
              for family, functions in ROWS.items() for function in functions}
