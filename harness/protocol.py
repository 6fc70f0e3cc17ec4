"""Protocol: how a backbone is trained. A frozen dataclass, three presets, every field settable."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from zoo.errors import UserError, did_you_mean

CHOICES = {
    "policy": ("none", "basic", "report", "random"),
    "boundary": ("head", "last block", "half", "all", "auto"),
    "schedule": ("plateau", "cosine"),
    "mixing": ("none", "mixup", "cutmix", "both"),
    "tta": ("none", "flip", "dihedral"),
}
RANGES = {
    "magnitude": (0.0, 3.0), "views": (0, 1000), "dense": (0, 8192), "dropout": (0.0, 0.95),
    "l1": (0.0, 1.0), "l2": (0.0, 1.0), "label_smoothing": (0.0, 0.9), "epochs_1": (0, 10_000),
    "epochs_2": (0, 10_000), "rate_1": (1e-8, 1.0), "rate_2": (1e-8, 1.0),
    "decay_1": (0.0, 1.0), "decay_2": (0.0, 1.0), "warmup": (0.0, 0.9), "head_rate": (0.01, 1000.0),
    "ema": (0.0, 0.99999), "batch": (1, 4096), "patience": (1, 10_000), "size": (0, 1024),
    "adapt": (0.0, 1.0), "suite": (100, 1_000_000),
}


@dataclass(frozen=True)
class Protocol:
    """One way to train. Stage 1 trains the head on a frozen backbone, stage 2 the tail as well.

    policy, magnitude: of augmentation; views: augmented versions of each picture, beside the
    untouched one, that are cached (where nothing is frozen, every epoch draws new ones);
    mixing: MixUp or CutMix of views with their labels, in both stages, from the second augmented
    view on (the first one judges, see harness/augment/mixing.py);
    standardize: bring the pooled features to mean 0 and deviation 1 in front of the head; dense:
    width of its hidden layer, 0 for none; l1, l2: penalties on its weights;
    boundary: what stage 2 trains ("auto": all of a light network, half of a heavy one);
    epochs, rate (AdamW's learning rate) and decay (its weight decay) of each stage;
    schedule: of stage 2's rate, after ``warmup`` (a share of all steps); head_rate: the head's rate
    in stage 2, in multiples of rate_2; ema: decay of the moving average of weights, 0 for none;
    wise: choose a point between the weights of stage 1 and 2 by the loss on validation pictures,
    untouched and augmented (WiSE-FT); patience: epochs without a better validation loss;
    size: pictures are resized to this inside the model (to more where the backbone needs it), 0 to
    leave them; tta: test-time augmentation; adapt: share of the predicted batch's own statistics in
    every batch normalization (zoo/adapt.py; can't be submitted); suite: how many distorted
    validation pictures the run is judged on.
    """

    name: str
    policy: str = "report"
    magnitude: float = 1.0
    views: int = 3
    mixing: str = "none"
    standardize: bool = False
    dense: int = 256
    dropout: float = 0.4
    l1: float = 0.0
    l2: float = 1e-3
    label_smoothing: float = 0.0
    class_weights: bool = True
    boundary: str = "last block"
    epochs_1: int = 30
    epochs_2: int = 30
    rate_1: float = 1e-4
    rate_2: float = 1e-5
    decay_1: float = 1e-4
    decay_2: float = 1e-5
    schedule: str = "plateau"
    warmup: float = 0.0
    head_rate: float = 1.0
    ema: float = 0.0
    wise: bool = False
    batch: int = 16
    patience: int = 15
    size: int = 0
    tta: str = "none"
    adapt: float = 0.0
    suite: int = 2000

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check(field.name, getattr(self, field.name), field.type)

    @property
    def other_views(self) -> int:
        """How many views there are beside the untouched one; none where all would be like it."""
        return 0 if self.policy == self.mixing == "none" else self.views

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Protocol":
        """The reverse; a field that a record doesn't have yet is as it was before there was one.

        Raises UserError for a field of another version, or a value that can't be.
        """
        unknown = sorted(fields.keys() - {f.name for f in dataclasses.fields(cls)})
        if unknown:
            raise UserError(f"This version knows no field {unknown[0]!r} of a protocol. Use the "
                            "version that made the run, or train it again.")
        return cls(**fields)


def protocol(name: str, settings: dict[str, Any] | None = None) -> Protocol:
    """The preset called ``name`` with ``settings`` (field: value or its text) in place.

    Raises UserError for an unknown preset or field, a wrong type, or a value out of range.
    """
    if name not in PRESETS:
        raise UserError(f"There is no protocol {name!r}.{did_you_mean(name, PRESETS)} "
                        f"There are: {', '.join(PRESETS)}.")
    return with_settings(PRESETS[name], settings or {})


def with_settings(base: Protocol, settings: dict[str, Any]) -> Protocol:
    """``base`` with some fields changed. A changed preset is called "name+"."""
    types = {f.name: f.type for f in dataclasses.fields(Protocol) if f.name != "name"}
    values = {}
    for key, value in settings.items():
        field = key.strip().replace("-", "_")
        if field not in types:
            raise UserError(f"A protocol has no field {key!r}.{did_you_mean(field, types)} "
                            f"There are: {', '.join(types)}.")
        values[field] = parse(field, value, types[field])
    changed = {k: v for k, v in values.items() if v != getattr(base, k)}
    name = base.name + "+" if changed and not base.name.endswith("+") else base.name
    return dataclasses.replace(base, name=name, **changed)


def parse(field: str, value: Any, kind: Any) -> Any:
    """Text from a command line as the field's type; values of the right type as they are."""
    if kind is str:
        return str(value)
    if isinstance(value, str):
        try:
            value = json.loads(value.strip().lower())
        except ValueError:
            raise UserError(f"{field} must be {WORDS[kind]}, not {value!r}.") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def check(field: str, value: Any, kind: Any) -> None:
    """Raise UserError unless ``value`` is of the field's type and in its range."""
    if type(value) is not kind:
        raise UserError(f"{field} must be {WORDS[kind]}, not {value!r}.")
    if field in CHOICES and value not in CHOICES[field]:
        raise UserError(f"{field} can't be {value!r}.{did_you_mean(str(value), CHOICES[field])} "
                        f"It can be: {', '.join(CHOICES[field])}.")
    low, high = RANGES.get(field, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        raise UserError(f"{field} must be from {low:g} to {high:g}, not {value!r}.")


PRESETS = {
    # The report's protocol, its Table 2 and its aggressive augmentation.
    "seed": Protocol("seed"),
    # A laptop's: minutes instead of hours, on pictures made smaller.
    "quick": Protocol("quick", policy="random", views=1, standardize=True, dense=0, dropout=0.2,
                      l2=1e-4, epochs_1=10, epochs_2=2, rate_1=1e-3, rate_2=5e-5, schedule="cosine",
                      warmup=0.1, batch=32, patience=5, size=64, suite=400),
    # What closes the gap: see docs/protocol.md for what each part earns.
    "strong": Protocol("strong", policy="random", views=8, standardize=True, dense=0, dropout=0.2,
                       l2=1e-4, label_smoothing=0.1, class_weights=False, boundary="auto",
                       epochs_1=20, epochs_2=12, rate_1=1e-3, rate_2=2e-4, decay_2=1e-4,
                       schedule="cosine", warmup=0.1, ema=0.999, batch=32),
}
