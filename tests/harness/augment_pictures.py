"""Pictures for the tests of augmentation."""

import numpy as np


def pictures(n, height=48, width=48):
    """Smooth colours with a dark disk: something that every operation can change."""
    rng = np.random.default_rng(height * 1000 + width)
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(rows - height / 2, columns - width / 2) / min(height, width)
    base = 60 + 150 * (far > 0.3)[None, :, :, None] + 20 * rng.normal(size=(n, 1, 1, 3))
    return np.clip(base + 8 * rng.normal(size=(n, height, width, 3)), 0, 255).astype(np.uint8)
