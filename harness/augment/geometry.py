"""Geometry: where a pixel comes from. Bilinear, in 16-bit lanes of 64-bit words."""

import numpy as np

from harness.augment import draws, pixels

MIRROR, EDGE, FILL = 0, 1, 2  # what lies beyond the picture


def sample(images: np.ndarray, rows: np.ndarray, columns: np.ndarray,
           border: np.ndarray | None = None, fill: np.ndarray | None = None) -> np.ndarray:
    """The pictures read at (rows, columns), float32 broadcasting to (n, H, W), bilinearly.

    border (n,): MIRROR, EDGE or FILL, MIRROR if not given; fill uint8 (n, 3): FILL's colour.
    The three channels of a neighbour lie in 16-bit lanes of one word and the four weights sum to
    256, so that a lane never overflows and its upper byte is the answer.
    """
    n, height, width, _ = images.shape
    if height < 2 or width < 2:
        return images.copy()
    mirrored = np.full((n, 1, 1), True) if border is None else (border == MIRROR)[:, None, None]
    y, y_weight = corner(rows, height, mirrored)
    x, x_weight = corner(columns, width, mirrored)
    place = np.empty((n, height, width), np.int64)
    np.add(y * width, x, out=place)
    both = y_weight * x_weight >> 8
    below, right = y_weight - both, x_weight - both
    weights = [w.astype(np.uint64) for w in (256 - below - x_weight, right, below, both)]
    lanes = np.zeros((n, height, width, 4), np.uint16)
    pixels.copy(images, lanes)
    result = np.empty_like(images)
    for i, words in enumerate(lanes.view(np.uint64).reshape(n, -1)):
        total = np.full((height, width), 0x0080_0080_0080, np.uint64)  # a half, to round
        for weight, step in zip(weights, (0, 1, width, width + 1), strict=True):
            neighbour = words[step:].take(place[i], mode="clip")
            neighbour *= weight[i]
            total += neighbour
        pixels.copy(total.view(np.uint8).reshape(height, width, 8)[..., 1:6:2], result[i])
    if border is not None and fill is not None and (border == FILL).any():
        outside = (rows < -0.5) | (rows > height - 0.5) | (columns < -0.5) | (columns > width - 0.5)
        result = pixels.cover(result, outside & (border == FILL)[:, None, None], fill)
    return result


def corner(at: np.ndarray, length: int, mirrored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int32: the neighbour at or before ``at``, brought inside, and the next one's weight in
    256ths."""
    last = (length - 1) << 8
    fixed = (at * np.float32(256)).astype(np.int32)
    fixed = np.maximum(fixed, np.where(mirrored, -last, 0).astype(np.int32))
    np.minimum(fixed, np.where(mirrored, 2 * last, last).astype(np.int32), out=fixed)
    np.abs(fixed, out=fixed)
    np.subtract(last, fixed, out=fixed)
    np.abs(fixed, out=fixed)
    np.subtract(last, fixed, out=fixed)
    whole = fixed >> 8
    np.minimum(whole, length - 2, out=whole)
    fixed -= whole << 8
    return whole, fixed


def beyond(images: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How a picture goes on outside: half of the time mirrored, else its edge, or a colour."""
    border = np.array([MIRROR, MIRROR, EDGE, FILL])[draws.choice(keys, "border", 4)]
    colour = np.repeat(np.array([0, 255, 128])[draws.choice(keys, "fill", 3)][:, None], 3, axis=1)
    corner_colour = images[:, 0, 0]
    own = draws.uniform(keys, "own colour") < 0.5
    return border, np.where(own[:, None], corner_colour, colour).astype(np.uint8)


def affine(images: np.ndarray, matrix: np.ndarray, shift: np.ndarray, keys: np.ndarray
           ) -> np.ndarray:
    """Place (y, x) from the centre is read at ``matrix`` (n, 2, 2) @ (y, x) + ``shift`` (n, 2)."""
    height, width = images.shape[1:3]
    middle = np.array([(height - 1) / 2, (width - 1) / 2], np.float32)
    y = (np.arange(height, dtype=np.float32) - middle[0])[None, :, None]
    x = (np.arange(width, dtype=np.float32) - middle[1])[None, None, :]
    m = matrix.astype(np.float32)[:, :, :, None, None]
    start = (shift + middle).astype(np.float32)[:, :, None, None]
    rows, columns = m[:, 0, 0] * y + start[:, 0], m[:, 1, 1] * x + start[:, 1]
    if m[:, 0, 1].any() or m[:, 1, 0].any():
        rows, columns = rows + m[:, 0, 1] * x, columns + m[:, 1, 0] * y
    return sample(images, rows, columns, *beyond(images, keys))


def identity(n: int) -> np.ndarray:
    return np.tile(np.eye(2, dtype=np.float32), (n, 1, 1))


def flip(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Upside down, left to right, both or neither, at any strength."""
    result = np.empty_like(images)
    for i, kind in enumerate(draws.choice(keys, "flip", 4)):
        pixels.copy(images[i, ::1 - 2 * (kind // 2), ::1 - 2 * (kind % 2)], result[i])
    return result


def turn(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """By no, one, two or three quarters (none or two where it is not square), at any strength."""
    result = np.empty_like(images)
    step = 1 if images.shape[1] == images.shape[2] else 2
    for i, quarters in enumerate(draws.choice(keys, "quarters", 4)):
        pixels.copy(np.rot90(images[i], step * quarters), result[i])
    return result


def translate(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Shifted by up to 0.3 of the side in any direction."""
    angle = draws.span(keys, "angle", 0, 2 * np.pi)
    far = 0.3 * strength * min(images.shape[1:3])
    shift = np.stack([far * np.sin(angle), far * np.cos(angle)], axis=1)
    return affine(images, identity(len(images)), shift, keys)


def rotate(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Turned by up to 180 degrees, either way."""
    angle = np.pi * strength * draws.sign(keys, "way")
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.stack([np.stack([c, s], 1), np.stack([-s, c], 1)], 1)
    return affine(images, matrix, np.zeros((len(images), 2)), keys)


def zoom(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Nearer (to 2 times) or farther (to 0.5), about a point near the middle."""
    scale = np.exp2(strength * draws.sign(keys, "way"))
    side = min(images.shape[1:3])
    shift = draws.span(keys, "centre", -0.1, 0.1, 2) * (strength * side)[:, None]
    return affine(images, identity(len(images)) * scale[:, None, None], shift, keys)


def stretch(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Longer along one axis, shorter along the other, to 1.5 times each."""
    scale = np.exp2(0.6 * strength * draws.sign(keys, "way"))
    matrix = identity(len(images))
    matrix[:, 0, 0], matrix[:, 1, 1] = scale, 1 / scale
    return affine(images, matrix, np.zeros((len(images), 2)), keys)


def shear(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Rows or columns slide over each other, by up to 0.6 of their distance."""
    amount = 0.6 * strength * draws.sign(keys, "way")
    along = draws.uniform(keys, "axis") < 0.5
    matrix = identity(len(images))
    matrix[:, 0, 1], matrix[:, 1, 0] = np.where(along, amount, 0), np.where(along, 0, amount)
    return affine(images, matrix, np.zeros((len(images), 2)), keys)


def frame(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """-1..1 over rows (1, H, 1) and columns (1, 1, W), and (2,) half lengths in pixels."""
    rows, columns = pixels.places(images.shape[1:3])
    return rows, columns, (np.array(images.shape[1:3], np.float32) - 1) / 2


def perspective(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Seen at a slant: one side nearer than the other."""
    rows, columns, half = frame(images)
    angle = draws.span(keys, "angle", 0, 2 * np.pi)
    a = (0.45 * strength * np.sin(angle)).astype(np.float32)[:, None, None]
    b = (0.45 * strength * np.cos(angle)).astype(np.float32)[:, None, None]
    depth = 1 / (1 + a * rows + b * columns)
    return sample(images, half[0] + half[0] * rows * depth, half[1] + half[1] * columns * depth,
                  *beyond(images, keys))


def elastic(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A smooth random displacement, about 6 of 96 pixels at the strongest."""
    height, width = images.shape[1:3]
    far = (10 * pixels.unit(images) * strength).astype(np.float32)[:, None, None]
    rows = np.arange(height, dtype=np.float32)[None, :, None]
    columns = np.arange(width, dtype=np.float32)[None, None, :]
    down = pixels.smooth_field(keys, "down", (height, width), 7) * far
    right = pixels.smooth_field(keys, "right", (height, width), 7) * far
    return sample(images, rows + down, columns + right)


def barrel(images: np.ndarray, strength: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """A lens that bends straight lines outwards or inwards."""
    rows, columns, half = frame(images)
    outwards = draws.uniform(keys, "way") < 0.5
    bend = np.where(outwards, -0.16 * strength, 0.45 * strength)[:, None, None]
    scale = (1 + bend * (rows**2 + columns**2)) / (1 + np.maximum(bend, -0.5 * bend))
    return sample(images, half[0] + half[0] * rows * scale, half[1] + half[1] * columns * scale)
