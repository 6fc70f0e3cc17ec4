"""The embedded demo: eight kinds of drawn blood cells, so that everything can be tried at once.

The kinds differ as the real ones do (Acevedo et al., Data in Brief 30, 2020, shows them): size,
number and shape of the nucleus' lobes, granules, colour and outline of the cytoplasm. They
overlap, so that a network learns much and never everything. ``train`` is dirty as a contest's
file is; ``test`` shows new cells in another stain under another microscope.
"""

from dataclasses import dataclass, fields

import numpy as np

from harness.data.dataset import BLOOD_CELLS, Dataset

SIDE = 96
LOBES, RED_CELLS, VACUOLES = 5, 6, 3
BLOCK = 8        # pictures drawn at once: what is worked on stays in the processor's cache
SHARES = (.085, .18, .09, .17, .075, .085, .19, .125)  # of the kinds, about as in the contest


@dataclass(frozen=True)
class Kind:
    """A kind of cell. Ranges are (low, high); lengths in pixels, or in radii of the cell."""

    radius: tuple[float, float]
    lobes: tuple[int, int]
    lobe: tuple[float, float]           # radius of a lobe, in radii of the cell
    arc: tuple[float, float]            # how far from the middle lobes lie, in radii of the cell
    cytoplasm: tuple[int, int, int]
    granule: tuple[int, int, int]
    granules: tuple[float, float]       # how much the granules show
    coarse: tuple[float, float]         # 0 fine granules, 1 coarse ones
    over: float                         # how much granules lie over the nucleus
    ragged: tuple[float, float]         # how much the outline strays from a circle
    vacuoles: float = 0.0               # how often there are any


KINDS = (
    Kind((23, 31), (1, 3), (.62, .86), (.05, .3), (186, 130, 178), (62, 28, 112), (.6, 1),
         (.5, 1), .8, (.03, .12)),
    Kind((25, 32), (2, 3), (.38, .48), (.36, .5), (214, 142, 140), (190, 84, 92), (.5, 1),
         (.5, 1), .05, (.02, .08)),
    Kind((16, 27), (1, 1), (.45, .74), (.0, .28), (160, 142, 182), (130, 110, 170), (0, .25),
         (0, .5), 0., (.02, .09)),
    Kind((24, 35), (1, 2), (.58, .76), (.1, .3), (190, 156, 200), (122, 66, 150), (.2, .8),
         (0, .6), .2, (.02, .1)),
    Kind((18, 27), (1, 1), (.76, .93), (.0, .12), (142, 130, 194), (120, 90, 170), (0, .3),
         (0, .5), 0., (.03, .14)),
    Kind((29, 42), (2, 3), (.4, .62), (.2, .36), (166, 146, 190), (120, 90, 160), (.1, .5),
         (0, .4), .1, (.06, .18), .6),
    Kind((24, 32), (3, 5), (.26, .36), (.38, .54), (226, 186, 196), (176, 112, 158), (.2, .6),
         (0, .5), .05, (.02, .08)),
    Kind((6, 14), (0, 0), (0, 0), (0, 0), (168, 128, 186), (100, 44, 130), (.5, 1), (.2, 1), 0.,
         (.04, .2)),
)


@dataclass(frozen=True)
class World:
    """Stain and microscope: what one laboratory's pictures have in common.

    stain: 3x3, mixes the colours' absorptions; background: RGB; blur: pixels, up to; noise: grey
    levels; zoom: size of everything; vignette: darkening of the corners.
    """

    stain: tuple[tuple[float, float, float], ...]
    background: tuple[int, int, int]
    blur: float
    noise: float
    zoom: float
    vignette: float


HOME = World(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (253, 231, 207), .6, 3, 1, .03)
AWAY = World(((.7, .2, .1), (.1, .85, .0), (.05, .35, .9)), (232, 226, 236), 1.3, 9, .88, .22)


@dataclass
class Cells:
    """What was drawn by lot for n cells: float32 (n,) or (n, what there are several of, ...)."""

    radius: np.ndarray
    centre: np.ndarray          # (n, 2)
    waves: np.ndarray           # (n, 3, 2): amplitude and phase of the outline
    lobe: np.ndarray            # (n, LOBES): radii in pixels, 0 where there is none
    lobe_at: np.ndarray         # (n, LOBES, 2)
    cytoplasm: np.ndarray       # (n, 3)
    nucleus: np.ndarray         # (n, 3)
    granule: np.ndarray         # (n, 3)
    granules: np.ndarray
    coarse: np.ndarray
    over: np.ndarray
    vacuole: np.ndarray         # (n, VACUOLES): radii
    vacuole_at: np.ndarray      # (n, VACUOLES, 2)
    red: np.ndarray             # (n, RED_CELLS): radii
    red_at: np.ndarray          # (n, RED_CELLS, 2)
    texture_at: np.ndarray      # (n, 4) int: where the textures are cut

    def __getitem__(self, part: slice) -> "Cells":
        return Cells(**{f.name: getattr(self, f.name)[part] for f in fields(self)})


def train() -> Dataset:
    """1,200 pictures, 96x96, with foreign pictures, copies and a blank among them."""
    rng = np.random.default_rng(20241125)
    images, labels = cells(1200 - 80 - 8 - 1, rng, HOME)
    images, labels = polluted(images, labels, rng)
    order = rng.permutation(len(images))
    return Dataset(images[order], labels[order], BLOOD_CELLS, "demo")


def test() -> Dataset:
    """300 clean, labelled pictures from another laboratory."""
    images, labels = cells(300, np.random.default_rng(20241126), AWAY)
    return Dataset(images, labels, BLOOD_CELLS, "demo-test")


def cells(n: int, rng: np.random.Generator, world: World) -> tuple[np.ndarray, np.ndarray]:
    """``n`` pictures uint8 (n, 96, 96, 3) and their labels int64 (n,), of all kinds."""
    counts = np.maximum(1, np.floor(np.array(SHARES) * n)).astype(int)
    counts[6] += n - counts.sum()
    labels = rng.permutation(np.repeat(np.arange(len(KINDS)), counts))
    lots = lots_for(labels, rng, world)
    textures = [texture(rng, step) for step in (2, 3, 6)]
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    for start in range(0, n, BLOCK):
        part = slice(start, start + BLOCK)
        images[part] = draw(lots[part], textures, world, rng)
    return images, labels


def lots_for(labels: np.ndarray, rng: np.random.Generator, world: World) -> Cells:
    """Draw by lot what each cell looks like."""
    n = len(labels)

    def between(name: str) -> np.ndarray:
        low, high = np.array([getattr(k, name) for k in KINDS], float)[labels].T
        return low + (high - low) * rng.beta(1.6, 1.6, n)

    def colour(name: str, spread: float) -> np.ndarray:
        return np.array([getattr(k, name) for k in KINDS])[labels] + rng.normal(0, spread, (n, 3))

    radius = between("radius") * world.zoom
    turn, bend = rng.uniform(0, 2 * np.pi, n), rng.uniform(.9, 1.5, n)
    low, high = np.array([k.lobes for k in KINDS])[labels].T
    count = rng.integers(low, high + 1)
    place = np.arange(LOBES)
    angle = turn[:, None] + bend[:, None] * (place - (count[:, None] - 1) / 2)
    angle = angle + rng.normal(0, .15, (n, LOBES))
    arc = between("arc")[:, None] * rng.uniform(.85, 1.15, (n, LOBES)) * radius[:, None]
    lobe = between("lobe")[:, None] * rng.uniform(.85, 1.1, (n, LOBES)) * radius[:, None]
    centre = SIDE / 2 + rng.normal(0, 3.5, (n, 2))
    waves = np.stack([between("ragged")[:, None] * rng.normal(0, .6, (n, 3)),
                      rng.uniform(0, 2 * np.pi, (n, 3))], -1)
    some = rng.uniform(size=n) < np.array([k.vacuoles for k in KINDS])[labels]
    red_angle = rng.uniform(0, 2 * np.pi, (n, RED_CELLS))
    red_far = np.maximum(radius, 16)[:, None] + rng.uniform(10, 44, (n, RED_CELLS))
    drawn = (
        radius, centre, waves, np.where(place < count[:, None], lobe, 0),
        centre[:, None] + around(angle, arc), colour("cytoplasm", 9),
        np.array([82, 40, 126]) + rng.normal(0, 9, (n, 3)), colour("granule", 9),
        between("granules"), between("coarse"), np.array([k.over for k in KINDS])[labels],
        some[:, None] * rng.uniform(1.5, 4, (n, VACUOLES)) * world.zoom,
        centre[:, None] + around(rng.uniform(0, 7, (n, VACUOLES)),
                                 radius[:, None] * rng.uniform(.3, .8, (n, VACUOLES))),
        (rng.uniform(size=(n, RED_CELLS)) < .8) * rng.uniform(12, 17, (n, RED_CELLS)) * world.zoom,
        centre[:, None] + around(red_angle, red_far))
    texture_at = rng.integers(0, 256 - SIDE, (n, 4))
    return Cells(*[*(a.astype(np.float32) for a in drawn), texture_at])


def around(angle: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(..., 2): steps of the length ``far`` in the direction ``angle``."""
    return np.stack([np.sin(angle), np.cos(angle)], -1) * far[..., None]


def texture(rng: np.random.Generator, step: int) -> np.ndarray:
    """Smooth noise float32 (256, 256), about -1..1, whose bumps are ``step`` pixels wide."""
    field = rng.normal(size=(256, 256)).astype(np.float32)
    for axis in (0, 1):
        for _ in range(2):
            field = sum((np.roll(field, i, axis) for i in range(step)), np.zeros_like(field))
    return np.tanh(field / field.std())


def draw(lots: Cells, textures: list[np.ndarray], world: World, rng: np.random.Generator
         ) -> np.ndarray:
    """The pictures uint8 (n, 96, 96, 3) of some cells.

    Colours come first in here, (3, n, 96, 96): numpy is slow where the last axis is short.
    """
    fine, middle, coarse = (cut(t, lots.texture_at, i) for i, t in enumerate(textures))
    ground = plane(np.array(HOME.background))
    image = np.broadcast_to(ground, (3, *fine.shape)).copy()
    blend(image, plane(np.array([219, 178, 172])), red_cells(lots, coarse))
    cell = edge(outline(lots) - distance(lots.centre))
    granules = np.clip((fine + (middle - fine) * wide(lots.coarse)) * 2.5, 0, 1)
    granules *= wide(lots.granules)
    blend(image, plane(lots.cytoplasm), cell)
    image += 8 * coarse * cell
    blend(image, plane(lots.granule), cell * granules)
    holes = [edge(wide(lots.vacuole[:, i]) - distance(lots.vacuole_at[:, i]))
             for i in range(VACUOLES)]
    blend(image, ground - 12, cell * np.maximum.reduce(holes) * np.float32(.8))
    inside = nucleus(lots, coarse) * cell
    blend(image, plane(lots.nucleus), inside)
    image += (16 * middle + 10 * fine) * inside
    blend(image, plane(lots.granule), inside * granules * wide(lots.over))
    return through(image, world, rng)


def red_cells(lots: Cells, bumps: np.ndarray) -> np.ndarray:
    """How much of each pixel is red cell (n, 96, 96): discs, pale in the middle."""
    share = np.zeros_like(bumps)
    for i in range(RED_CELLS):
        far, radius = distance(lots.red_at[:, i]), wide(lots.red[:, i])
        full = np.clip(far / np.maximum(radius, 1) * np.float32(1.12) + np.float32(.15), 0, .95)
        share = np.maximum(share, edge(radius - far - bumps) * full)
    return share


def outline(lots: Cells) -> np.ndarray:
    """The cell's radius in the direction of each pixel (n, 96, 96)."""
    y, x = offsets(lots.centre)
    angle = np.arctan2(y, x)
    stray = sum(((wide(lots.waves[:, k, 0]) * np.cos((k + 2) * angle + wide(lots.waves[:, k, 1])))
                 for k in range(3)), np.float32(1))
    return wide(lots.radius) * stray


def nucleus(lots: Cells, bumps: np.ndarray) -> np.ndarray:
    """How much of each pixel is nucleus (n, 96, 96): lobes, and threads between them."""
    depth = np.full(bumps.shape, -9, np.float32)
    for i in range(LOBES):
        radius = lots.lobe[:, i, None, None]
        here = np.where(radius > 0, radius - distance(lots.lobe_at[:, i]), -9)
        depth = np.maximum(depth, here) + np.clip(3 - np.abs(depth - here), 0, 3) ** 2 / 12
    return edge(depth + 1.2 * bumps)


def through(image: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """What the camera makes of drawn pictures (3, n, 96, 96): stain, light, blur and noise."""
    n = image.shape[1]

    def lot(low: float, high: float, colours: int = 1) -> np.ndarray:
        return rng.uniform(low, high, (colours, n, 1, 1)).astype(np.float32)

    absorbed = plane(np.log(HOME.background)) - np.log(np.maximum(image, 1))
    absorbed *= lot(.86, 1.14)
    mixed = np.tensordot(np.array(world.stain, np.float32), absorbed, 1)
    dark = 1 - world.vignette * (distance(np.full((1, 2), SIDE / 2)) / (SIDE * .7)) ** 2
    image = np.exp(-mixed) * (plane(np.array(world.background)) * lot(.975, 1.025, 3))
    image *= dark.astype(np.float32)
    for axis in (2, 3):
        share = np.minimum(lot(0, world.blur), 1) / 4
        image += (np.roll(image, 1, axis) + np.roll(image, -1, axis) - 2 * image) * share
    image += world.noise * rng.standard_normal(image.shape[1:], np.float32)
    whole = np.clip(image + np.float32(.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(whole, 0, -1))


def polluted(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
             ) -> tuple[np.ndarray, np.ndarray]:
    """Add what contests' files hold: foreign pictures many times, copies, a blank one."""
    k = len(KINDS)
    twice = rng.choice(len(images), 8, replace=False)
    second = labels[twice].copy()
    second[:2] = (second[:2] + 1) % k
    more = [np.repeat(face()[None], 64, 0), np.repeat(stripes()[None], 16, 0), images[twice],
            np.full((1, SIDE, SIDE, 3), 255, np.uint8)]
    return (np.concatenate([images, *more]),
            np.concatenate([labels, np.repeat(np.arange(k), 8), np.full(16, 5), second, [7]]))


def face() -> np.ndarray:
    """A smiling face, uint8 (96, 96, 3): no blood cell."""
    y, x = (a - 48. for a in np.mgrid[:SIDE, :SIDE])
    image = np.full((SIDE, SIDE, 3), (60, 150, 90), np.uint8)
    image[np.hypot(x, y) < 40] = (250, 210, 40)
    for side in (-14, 14):
        image[np.hypot(x - side, y + 12) < 5] = (20, 20, 20)
    image[(np.abs(np.hypot(x, y) - 24) < 3) & (y > 6)] = (150, 20, 20)
    return image


def stripes() -> np.ndarray:
    """A test card, uint8 (96, 96, 3): no blood cell."""
    column = np.arange(SIDE) // 12
    card = np.stack([column & 1, column >> 1 & 1, column >> 2 & 1], -1) * 220 + 20
    return np.repeat(card[None].astype(np.uint8), SIDE, 0)


def offsets(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels' vertical (n, 96, 1) and horizontal (n, 1, 96) distance from the points (n, 2)."""
    steps = np.arange(SIDE, dtype=np.float32)
    return (steps[None] - at[:, :1])[:, :, None], (steps[None] - at[:, 1:])[:, None, :]


def distance(at: np.ndarray) -> np.ndarray:
    y, x = offsets(at.astype(np.float32))
    return np.sqrt(y * y + x * x)


def edge(depth: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside, and a soft edge of two pixels between them."""
    return np.clip(depth / 2 + .5, 0, 1)


def blend(image: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    """Lay ``colour`` over ``image`` (3, n, 96, 96), as thick as ``share`` (n, 96, 96) says."""
    for over, under in zip(colour, image, strict=True):
        under += (over - under) * share


def cut(whole: np.ndarray, at: np.ndarray, which: int) -> np.ndarray:
    """A piece (n, 96, 96) of a texture for each cell."""
    rows, columns = at[:, which], at[:, which + 1]
    return np.stack([whole[r:r + SIDE, c:c + SIDE] for r, c in zip(rows, columns, strict=True)])


def wide(values: np.ndarray) -> np.ndarray:
    return values[:, None, None]


def plane(colour: np.ndarray) -> np.ndarray:
    """A colour (3,) or one for each picture (n, 3), as float32 (3, 1 or n, 1, 1)."""
    return np.atleast_2d(colour).T.astype(np.float32)[:, :, None, None]
