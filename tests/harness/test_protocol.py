"""Protocols: presets, fields set from text, and what is refused."""

import dataclasses

import pytest

from harness.protocol import PRESETS, Protocol, protocol
from zoo import UserError


def test_the_seed_preset_is_the_reports_table_2() -> None:
    p = PRESETS["seed"]
    assert (p.dense, p.dropout, p.l2, p.batch, p.patience) == (256, 0.4, 1e-3, 16, 15)
    assert (p.rate_1, p.decay_1, p.decay_2) == (1e-4, 1e-4, 1e-5)
    assert p.rate_2 < p.rate_1
    assert (p.class_weights, p.boundary, p.policy) == (True, "last block", "report")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_field_set_from_text_has_the_fields_type(preset: str) -> None:
    p = protocol(preset, {"views": "3", "dropout": "0", "wise": "true", "boundary": "half"})
    assert (p.views, p.dropout, p.wise, p.boundary) == (3, 0.0, True, "half")
    for field in dataclasses.fields(Protocol):
        assert type(getattr(p, field.name)) is field.type


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_depends_on_the_test_batch_or_mixes(preset: str) -> None:
    assert PRESETS[preset].adapt == 0
    assert PRESETS[preset].mixing == "none"


def test_a_changed_preset_is_named_so_and_an_unchanged_one_is_not() -> None:
    assert protocol("seed", {"views": "4"}).name == "seed+"
    assert protocol("seed", {"views": str(PRESETS["seed"].views)}).name == "seed"


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"views": "many"}, "views must be a whole number"),
    ({"views": "3.5"}, "views must be a whole number"),
    ({"views": "-1"}, "views must be from 0"),
    ({"dropout": "nan"}, "dropout must be a number"),
    ({"dropout": "1.5"}, "dropout must be from 0"),
    ({"adapt": "1.5"}, "adapt must be from 0 to 1"),
    ({"wise": "maybe"}, "wise must be true or false"),
    ({"boundary": "last"}, "Did you mean 'last block'"),
    ({"veiws": "3"}, "Did you mean 'views'"),
])
def test_a_wrong_setting_gets_a_sentence(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        protocol("seed", settings)


def test_an_unknown_preset_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="Did you mean 'strong'"):
        protocol("strng")
