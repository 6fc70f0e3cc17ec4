"""Colour and stain: another dye, another lamp, another camera, or none of nature's."""

import itertools

import numpy as np

from harness.augment import draws, pixels
from harness.augment.pixels import LEVELS

# Optical densities of haematoxylin, eosin and a third axis across both, in RGB
# (Ruifrok and Johnston, Quantification of histochemical staining by color deconvolution, 2001).
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], np.float64)
STAINS /= np.linalg.norm(STAINS, axis=1, keepdims=True)
UNMIX = np.linalg.inv(STAINS)
EYE = np.eye(3, dtype=np.float32)
ORDERS = np.array(list(itertools.permutations(range(3)))[1:])


def stain(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each dye's density times e^-0.9..e^0.9 and a little more or less of it everywhere."""
    gain = np.exp(draws.span(keys, "gain", -0.9, 0.9, 3) * strength[:, None])
    extra = draws.span(keys, "extra", -0.12, 0.2, 3) * strength[:, None]
    matrix = np.einsum("sc,ns,ds->ncd", STAINS, gain, UNMIX).astype(np.float32)
    shift = (extra[:, :, None] * STAINS[None]).sum(axis=1).astype(np.float32)
    density = [-np.log((images[..., c].astype(np.float32) + 1) * np.float32(1 / 256))
               for c in range(3)]
    result = np.empty_like(images)
    m = matrix[:, :, :, None, None]
    for out in range(3):
        total = density[0] * m[:, out, 0]
        total += density[1] * m[:, out, 1]
        total += density[2] * m[:, out, 2]
        total += shift[:, out, None, None]
        result[..., out] = pixels.to_bytes(256 * np.exp(-total) - 1)
    return result


def density(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Another laboratory: each channel's optical density spread 0.5..2 times as wide about its
    mean, which moves by up to a half of itself."""
    spread = np.exp(draws.span(keys, "spread", -0.7, 0.7, 3) * strength[:, None])[:, :, None]
    move = (1 + draws.span(keys, "move", -0.5, 0.5, 3) * strength[:, None])[:, :, None]
    level = np.stack([images[..., c].sum(axis=(1, 2), dtype=np.int64) for c in range(3)], axis=1)
    mean = -np.log((level[:, :, None] / images[0, ..., 0].size + 1) / 256)
    values = (-np.log((LEVELS + 1) / 256) - mean) * spread + mean * move
    return pixels.look_up(images, 256 * np.exp(-values) - 1)


def fringes(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Red and blue displaced against green, by up to 4 of 96 pixels, as by a poor lens."""
    height, width = images.shape[1:3]
    angle = draws.span(keys, "angle", 0, 2 * np.pi)
    far = np.maximum(1, 4 * pixels.unit(images) * strength)
    reach = min(int(np.ceil(4 * pixels.unit(images))), height, width)
    wide = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    down = np.clip(np.rint(far * np.sin(angle)), -reach, reach).astype(int)
    right = np.clip(np.rint(far * np.cos(angle)), -reach, reach).astype(int)
    result = images.copy()
    for i, (y, x) in enumerate(zip(down, right, strict=True)):
        for c, way in ((0, 1), (2, -1)):
            top, left = reach + way * y, reach + way * x
            result[i, ..., c] = wide[i, top:top + height, left:left + width, c]
    return result


def hue(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Turned about the grey axis by up to 160 degrees, brightness kept."""
    angle = np.deg2rad(160) * strength * draws.sign(keys, "way")
    axis = np.full(3, 3**-0.5)
    cross = np.cross(EYE, axis)
    turn = (np.cos(angle)[:, None, None] * EYE + np.sin(angle)[:, None, None] * cross
            + (1 - np.cos(angle))[:, None, None] * np.outer(axis, axis))
    return pixels.recolour(images, turn)


def towards_grey(amount: np.ndarray) -> np.ndarray:
    """(n, 3, 3): colour matrices that keep 1 - amount of the colour (more than all if negative)."""
    return EYE + (np.tile(pixels.GREY, (3, 1)) - EYE) * amount[:, None, None]


def saturation(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Colours down to a tenth or up to 3.5 times as strong."""
    up = draws.uniform(keys, "way") < 0.5
    return pixels.recolour(images, towards_grey(np.where(up, -2.5, 0.9) * strength))


def grey(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Towards no colour at all."""
    return pixels.recolour(images, towards_grey(strength))


def white_balance(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each channel times its own 0.55..1.8."""
    gain = np.exp(draws.span(keys, "gain", -0.6, 0.6, 3) * strength[:, None])
    return pixels.look_up(images, gain[:, :, None] * LEVELS)


def channel_shift(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each channel up to 70 grey levels up or down."""
    shift = draws.span(keys, "shift", -70, 70, 3) * strength[:, None]
    return pixels.look_up(images, shift[:, :, None] + LEVELS)


def channel_order(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Towards the same picture with its channels exchanged."""
    order = ORDERS[draws.choice(keys, "order", len(ORDERS))]
    return pixels.recolour(images, EYE + (EYE[order] - EYE) * strength[:, None, None])


def channel_mix(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Another sensor: each output channel a random mixture of all three, grey staying grey."""
    extra = draws.span(keys, "mix", -0.8, 0.8, 9).reshape(-1, 3, 3) * strength[:, None, None]
    return pixels.recolour(images, EYE + extra - extra.mean(axis=2, keepdims=True))


def invert(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Towards one channel's negative, then a second one's, then the whole picture's."""
    rank = np.argsort(draws.uniform(keys, "first", 3), axis=1)
    amount = np.clip(3 * strength[:, None] - rank, 0, 1)[:, :, None]
    return pixels.look_up(images, LEVELS + (255 - 2 * LEVELS) * amount)


def solarise(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Values above a threshold, 255 down to 50, turn towards their negative."""
    above = (255 - 205 * strength[:, None] < LEVELS) * np.minimum(1.25 * strength, 1)[:, None]
    return pixels.look_up(images, LEVELS + (255 - 2 * LEVELS) * above)


def posterise(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Few levels a channel: 18 (weak) down to 2."""
    steps = np.rint(1 + 17 * (1 - strength) ** 2)[:, None]
    return pixels.look_up(images, np.rint(LEVELS / 255 * steps) / steps * 255)


def false_colour(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Towards its brightness shown on a random scale of three colours."""
    stops = np.sort(draws.uniform(keys, "stops", 9).reshape(-1, 3, 3), axis=2)[..., None] * 255
    at = LEVELS / 127.5
    scale = np.where(at < 1, stops[:, :, 0] + (stops[:, :, 1] - stops[:, :, 0]) * at,
                     stops[:, :, 1] + (stops[:, :, 2] - stops[:, :, 1]) * (at - 1))
    level = pixels.to_bytes(pixels.luma(images))[..., None].repeat(3, axis=3)
    return pixels.blend(images, pixels.look_up(level, scale), pixels.column(strength))
