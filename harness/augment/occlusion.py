"""Occlusion: something lies over the cell, or a part of the picture is gone."""

import numpy as np

from harness.augment import draws, pixels


def fills(images: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """uint8 (n, 3): black, white, grey, any colour, or that of one of the picture's pixels."""
    kind = draws.choice(keys, "fill", 5)
    any_colour = (draws.uniform(keys, "any", 3) * 256).astype(np.uint8)
    flat = images.reshape(len(images), -1, 3)
    own = flat[np.arange(len(images)), draws.choice(keys, "own", flat.shape[1])]
    plain = np.array([0, 255, 128, 0, 0], np.uint8)[kind][:, None]
    return np.select([(kind == 3)[:, None], (kind == 4)[:, None]], [any_colour, own], plain)


def erase(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One to three rectangles of one colour or of noise, together up to 35 % of the picture."""
    height, width = images.shape[1:3]
    count = 1 + draws.choice(keys, "count", 3)
    area = 0.35 * strength / count
    ratio = np.exp2(draws.span(keys, "ratio", -1, 1, 3))
    centre = draws.span(keys, "centre", 0.1, 0.9, 6)
    colour = fills(images, keys)
    noisy = draws.uniform(keys, "noisy") < 0.3
    result = images.copy()
    for i in range(len(images)):
        for j in range(count[i]):
            half_y = 0.5 * height * np.sqrt(area[i] * ratio[i, j])
            half_x = 0.5 * width * np.sqrt(area[i] / ratio[i, j])
            y, x = centre[i, 2 * j] * height, centre[i, 2 * j + 1] * width
            part = result[i, max(0, round(y - half_y)):round(y + half_y) + 1,
                          max(0, round(x - half_x)):round(x + half_x) + 1]
            if noisy[i]:
                values = draws.noise(keys[i:i + 1], f"noise {j}", part.size).reshape(part.shape)
                part[:] = pixels.to_bytes(values * 60 + 128)
            else:
                part[:] = colour[i]
    return result


def grid_mask(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A lattice of squares of one colour, up to two fifths of the picture."""
    height, width = images.shape[1:3]
    period = draws.span(keys, "period", 10, 26) * pixels.unit(images)
    side = period * np.sqrt(0.4 * strength)
    start = draws.uniform(keys, "start", 2) * period[:, None]
    rows = (np.arange(height)[None] + start[:, :1]) % period[:, None] < side[:, None]
    columns = (np.arange(width)[None] + start[:, 1:]) % period[:, None] < side[:, None]
    return pixels.cover(images, rows[:, :, None] & columns[:, None, :], fills(images, keys))


def holes(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Many small squares of one colour: up to two fifths of a lattice's places."""
    height, width = images.shape[1:3]
    side = max(2, round(6 * pixels.unit(images)))
    rows, columns = -(-height // side), -(-width // side)
    gone = draws.uniform(keys, "gone", rows * columns) < 0.4 * strength[:, None]
    mask = gone.reshape(-1, rows, columns).repeat(side, axis=1).repeat(side, axis=2)
    return pixels.cover(images, mask[:, :height, :width], fills(images, keys))


def disk(shape: tuple[int, ...], y: float, x: float, radius: float
         ) -> tuple[tuple[slice, slice], np.ndarray]:
    """The window around a disk, and in it float32 distances from its centre in radii."""
    top, left = max(0, int(y - radius)), max(0, int(x - radius))
    bottom, right = min(shape[0], int(y + radius) + 2), min(shape[1], int(x + radius) + 2)
    rows = (np.arange(top, bottom, dtype=np.float32) - np.float32(y))[:, None]
    columns = (np.arange(left, right, dtype=np.float32) - np.float32(x))[None, :]
    far = np.sqrt(rows**2 + columns**2) * np.float32(1 / radius)
    return (slice(top, max(top, bottom)), slice(left, max(left, right))), far


def bubbles(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One to six air bubbles: pale inside, with a dark rim and a bright ring in it."""
    height, width = images.shape[1:3]
    count = 1 + np.rint(5 * strength * draws.uniform(keys, "count")).astype(int)
    place = draws.uniform(keys, "place", 12).reshape(-1, 6, 2)
    radius = draws.span(keys, "radius", 3, 17, 6) * pixels.unit(images)
    radius *= 0.4 + 0.6 * strength[:, None]
    result = images.astype(np.float32)
    for i in range(len(images)):
        for j in range(count[i]):
            y, x = place[i, j, 0] * height, place[i, j, 1] * width
            window, far = disk(images.shape[1:3], y, x, radius[i, j])
            rim = np.exp(-((far - 0.88) / 0.1) ** 2) * (0.35 + 0.4 * strength[i])
            ring = np.exp(-((far - 0.68) / 0.09) ** 2) * 0.6
            inside = (far < 0.9) * np.float32(0.25 + 0.5 * strength[i])
            part = result[i][window]
            part += (225 - part) * inside[..., None]
            part += (250 - part) * ring[..., None]
            part *= (1 - rim)[..., None]
    return pixels.to_bytes(result)


def deposit(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Precipitated stain: dark violet blotches over up to a fourth of the picture."""
    shape = images.shape[1:3]
    knots = 14
    field = pixels.smooth_field(keys, "field", (shape[0], shape[1]), knots)
    bound = (1.25 - 0.8 * strength)[:, None, None]  # in half deviations of the smoothed field
    dye = np.array([70, 30, 110], np.float32) + draws.span(keys, "dye", -35, 45, 3)
    amount = np.clip((field - 0.5 * bound) * 9, 0, 1) * np.float32(0.88)
    return pixels.tint(images, dye, amount)


def hairs(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """One to four curved fibres or scratches, dark or pale, up to 4 pixels wide."""
    result = images.copy()
    for j in range(4):
        part = np.flatnonzero(strength > (j - 1) / 3)
        if len(part):
            result[part] = one_hair(result[part], strength[part], draws.fork(keys[part], f"{j}"))
    return result


def one_hair(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    rows, columns = pixels.places(images.shape[1:3])
    angle = draws.span(keys, "angle", 0, np.pi)[:, None, None]
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    bend = draws.span(keys, "bend", -0.6, 0.6, 2)[:, :, None, None]
    far = np.abs(across - bend[:, 0] - bend[:, 1] * along * along)
    wide = draws.span(keys, "wide", 0.4, 1) * (0.012 + 0.035 * strength)
    amount = np.clip((wide[:, None, None] - far) * np.float32(48) + np.float32(0.5), 0, 0.85)
    dark = draws.uniform(keys, "dark") < 0.6
    colour = np.where(dark[:, None], 60, 235) + draws.span(keys, "tone", -40, 20, 3)
    return pixels.tint(images, colour, amount)


def dust(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Up to 60 dark specks of one to three pixels' radius."""
    height, width = images.shape[1:3]
    count = np.rint(60 * strength).astype(int) + 1
    place = draws.uniform(keys, "place", 122).reshape(-1, 61, 2)
    radius = draws.span(keys, "radius", 0.8, 2.8, 61) * max(pixels.unit(images), 0.4)
    tone = draws.span(keys, "tone", 0, 90, 61)
    result: np.ndarray = images.copy()
    for i in range(len(images)):
        for j in range(count[i]):
            y, x = place[i, j, 0] * height, place[i, j, 1] * width
            window, far = disk((height, width), y, x, radius[i, j])
            result[i][window][far <= 1] = tone[i, j]
    return result
