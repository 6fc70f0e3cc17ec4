"""Folders of pictures: a folder a class, whatever else lies in it."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.sources import load
from zoo.errors import UserError

SIDE = 24


def picture(seed: int, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of three pictures."""
    for c, name in enumerate(("monocyte", "basophil")):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(picture(10 * c + i)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_folders_are_classes_in_alphabetical_order(folder: Path) -> None:
    dataset = load(folder)
    assert dataset.class_names == ("basophil", "monocyte")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(dataset.images[3], picture(0))
    assert np.array_equal(dataset.images[0], picture(10))
    assert dataset.unreadable == ()


def test_a_list_of_classes_gives_the_order(folder: Path) -> None:
    (folder / "classes.txt").write_text("platelet\nmonocyte\nbasophil\n")
    dataset = load(folder)
    assert dataset.class_names == ("platelet", "monocyte", "basophil")
    assert dataset.labels.tolist() == [1, 1, 1, 2, 2, 2]
    (folder / "classes.txt").write_text("monocyte\n")
    with pytest.raises(UserError, match="doesn't list the folder 'basophil'"):
        load(folder)
    (folder / "classes.txt").write_text("monocyte\nmonocyte\nbasophil\n")
    with pytest.raises(UserError, match="once"):
        load(folder)


def test_folders_without_a_picture_are_no_classes(folder: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "__MACOSX" / "basophil").mkdir(parents=True)
    (folder / "__MACOSX" / "basophil" / "._0.png").write_bytes(b"fork")
    (folder / "code").mkdir()
    (folder / "code" / "train.py").write_text("")
    dataset = load(folder)
    assert dataset.class_names == ("basophil", "monocyte")
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert "passed over, because no picture lies in it: __MACOSX, code" in " ".join(
        capsys.readouterr().out.split())
    (folder / "classes.txt").write_text("monocyte\nbasophil\n")
    assert load(folder).class_names == ("monocyte", "basophil")


@pytest.mark.parametrize("name", ["../elsewhere", "..", ".", "{outside}", "a\\b", "a\0b"])
def test_a_list_of_classes_names_nothing_outside(folder: Path, name: str) -> None:
    outside = folder.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    Image.fromarray(picture(1)).save(outside / "0.png")
    (folder / "classes.txt").write_text(
        f"monocyte\nbasophil\n{name.format(outside=outside)}\n")
    with pytest.raises(UserError, match="no folder beside it"):
        load(folder)


def test_a_list_of_classes_may_begin_as_windows_writes_it(folder: Path) -> None:
    (folder / "classes.txt").write_text("monocyte\nbasophil\n", encoding="utf-8-sig")
    assert load(folder).class_names == ("monocyte", "basophil")


def test_the_parts_of_a_data_set_are_no_classes(folder: Path) -> None:
    (folder / "monocyte").rename(folder / "Train")
    (folder / "basophil").rename(folder / "val")
    with pytest.raises(UserError, match="Train, val.*Name one of these folders"):
        load(folder)
    (folder / "val").rename(folder / "basophil")
    assert load(folder).class_names == ("Train", "basophil")


@pytest.mark.parametrize("parts", [("Training", "Testing"), ("seg_train", "seg_test")])
def test_parts_are_known_by_other_names_too(folder: Path, parts: tuple[str, str]) -> None:
    for name, part in zip(("monocyte", "basophil"), parts, strict=True):
        (folder / name).rename(folder / part)
    with pytest.raises(UserError, match="Name one of these folders"):
        load(folder)


def test_kinds_of_train_are_classes(folder: Path) -> None:
    (folder / "monocyte").rename(folder / "steam train")
    (folder / "basophil").rename(folder / "freight train")
    assert load(folder).class_names == ("freight train", "steam train")


def test_numbered_folders_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for c in range(11):
        (tmp_path / str(c)).mkdir()
        Image.fromarray(picture(c)).save(tmp_path / str(c) / "0.png")
    dataset = load(tmp_path)
    assert dataset.class_names == tuple(str(c) for c in range(11))
    assert np.array_equal(dataset.images[2], picture(2))


def test_classes_that_lie_deeper_are_pointed_at(folder: Path) -> None:
    (folder / "data").mkdir()
    for name in ("monocyte", "basophil"):
        (folder / name).rename(folder / "data" / name)
    with pytest.raises(UserError, match="such as .*data"):
        load(folder)


@pytest.mark.parametrize("labelled", [True, False])
def test_pictures_beside_the_classes_are_said_to_be_passed_over(
        folder: Path, labelled: bool, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(picture(1)).save(folder / "loose.png")
    assert len(load(folder, labelled=labelled)) == 6
    assert "lie in no class's folder: 1." in " ".join(capsys.readouterr().out.split())


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_no_record_could_hold_is_refused(folder: Path) -> None:
    os.rename(folder / "monocyte", os.fsencode(folder) + b"/caf\xe9")
    with pytest.raises(UserError, match="isn't written in UTF-8"):
        load(folder)


def test_fractions_are_not_cut_to_black(folder: Path) -> None:
    Image.fromarray(picture(1)[..., 0] / np.float32(255)).save(folder / "basophil" / "0.tif")
    assert load(folder).unreadable == (1,)
    whole = picture(1)[..., 0].astype(np.float32)
    Image.fromarray(whole).save(folder / "basophil" / "0.tif")
    assert load(folder).unreadable == ()
    Image.fromarray(whole * np.float32(0.97)).save(folder / "basophil" / "0.tif")  # resized, say
    assert load(folder).unreadable == ()


def test_a_target_may_lie_in_one_folder_without_labels(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(picture(i)).save(tmp_path / f"{i}.png")
    dataset = load(tmp_path, labelled=False)
    assert dataset.labels.tolist() == [-1, -1, -1]
    assert np.array_equal(dataset.images[1], picture(1))
    with pytest.raises(UserError, match="folder of its own"):
        load(tmp_path)


@pytest.mark.parametrize("mode, suffix", [
    ("L", "png"), ("1", "png"), ("P", "gif"), ("RGBA", "png"), ("LA", "png"), ("CMYK", "jpg"),
    ("RGB", "bmp"), ("RGB", "tiff"), ("RGB", "webp"), ("RGB", "ppm"), ("YCbCr", "jpg")])
def test_any_mode_and_format_becomes_rgb(folder: Path, mode: str, suffix: str) -> None:
    Image.fromarray(picture(99)).convert(mode).save(folder / "basophil" / f"0.{suffix}")
    dataset = load(folder)
    assert dataset.images.shape[1:] == (SIDE, SIDE, 3)
    assert dataset.unreadable == ()
    assert dataset.images.reshape(len(dataset), -1).std(1).min() > 1


def test_sixteen_bits_are_scaled_and_transparency_is_white(folder: Path) -> None:
    deep = (picture(1)[..., 0].astype(np.uint16) << 8)
    Image.fromarray(deep).save(folder / "basophil" / "0.png")
    clear = np.dstack([picture(2), np.zeros((SIDE, SIDE), np.uint8)])
    Image.fromarray(clear).save(folder / "basophil" / "1.png")
    images = load(folder).images
    assert np.array_equal(images[0], np.repeat(picture(1)[..., :1], 3, 2))
    assert (images[1] == 255).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_stored_in_sixteen_are_scaled_alike_in_all_pictures(folder: Path,
                                                                       bits: int) -> None:
    for i, darker in enumerate((1, 3)):
        grey = picture(i)[..., 0].astype(np.uint16) // darker
        Image.fromarray(grey << (bits - 8)).save(folder / "basophil" / f"{i}.png")
    images = load(folder).images
    for i, darker in enumerate((1, 3)):
        assert np.array_equal(images[i, ..., 0], picture(i)[..., 0] // darker)


def test_pictures_of_other_sizes_are_made_equal(folder: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(picture(5, 60, 40)).save(folder / "basophil" / "wide.png")
    assert load(folder).images.shape == (7, SIDE, SIDE, 3)
    assert "1 of 7 pictures were resized to 24x24" in capsys.readouterr().out


def test_where_all_sizes_differ_the_median_one_is_taken(folder: Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    for i, side in enumerate((400, 30, 34, 38, 42, 9)):
        name = ("basophil", "monocyte")[i % 2]
        Image.fromarray(picture(i, side, side + 2)).save(folder / name / f"{i // 2}.png")
    assert load(folder).images.shape == (6, 34, 36, 3)
    assert "5 of 6 pictures were resized to 34x36, nearest to the median" in " ".join(
        capsys.readouterr().out.split())


def test_a_turned_tiff_is_turned_once(folder: Path) -> None:
    for name in ("basophil", "monocyte"):
        for i in range(3):
            (folder / name / f"{i}.png").unlink()
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(picture(i, 30, 20)).save(folder / name / f"{i}.tiff", exif=exif)
    images = load(folder).images
    assert images.shape == (6, 20, 30, 3)
    assert np.array_equal(images[0], np.rot90(picture(0, 30, 20), -1))


def test_a_photograph_is_turned_as_its_camera_says(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(7)).save(folder / "basophil" / "0.png", exif=exif)
    assert np.array_equal(load(folder).images[0], np.rot90(picture(7), -1))


def bombed(place: Path) -> None:
    """A small file that claims to be a picture of 900 million pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))

    place.write_bytes(b"\x89PNG\r\n\x1a\n"
                      + chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
                      + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b""))


def test_what_is_no_picture_is_marked_and_what_is_no_file_hangs_nothing(folder: Path) -> None:
    place = folder / "basophil"
    bombed(place / "3 bomb.png")
    (place / "4 empty.png").write_bytes(b"")
    (place / "5 cut.png").write_bytes((place / "0.png").read_bytes()[:300])
    (place / "6 words.jpg").write_text("not a picture")
    os.mkfifo(place / "7 pipe.png")
    os.symlink("/dev/zero", place / "8 zeros.png")
    os.symlink(place / "nowhere.png", place / "9 dangling.png")
    (place / "notes.txt").write_text("no picture, and not taken for one")
    (place / ".hidden.png").write_bytes(b"x")
    dataset = load(folder)
    assert len(dataset) == 13
    assert dataset.unreadable == (3, 4, 5, 6, 7, 8, 9)
    assert (dataset.images[list(dataset.unreadable)] == 0).all()


def test_programs_are_never_called_to_draw_a_picture(folder: Path) -> None:
    (folder / "basophil" / "9.eps").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\nshowpage\n")
    assert load(folder).unreadable == (3,)


def test_links_that_lead_back_are_not_followed(folder: Path) -> None:
    os.symlink(folder, folder / "again")
    os.symlink(folder, folder / "basophil" / "deep")
    os.symlink(folder.parent, folder / "up")
    dataset = load(folder)
    assert dataset.class_names == ("basophil", "monocyte")
    assert len(dataset) == 6


def test_a_linked_class_is_read(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.fromarray(picture(50)).save(elsewhere / "0.png")
    os.symlink(elsewhere, folder / "platelet")
    assert load(folder).class_names == ("basophil", "monocyte", "platelet")


def test_nothing_readable_is_one_sentence(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match="none of its 2 files"):
        load(tmp_path)


def test_kinds_of_files_that_no_one_reads_are_said(folder: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    load(folder)
    assert "passed over" not in capsys.readouterr().out
    for i in range(12):
        (folder / "basophil" / f"{i}.HEIC").write_bytes(b"photograph")
    load(folder)
    assert "can be read (.heic): 12." in " ".join(capsys.readouterr().out.split())


def test_pictures_in_no_folder_are_not_denied(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(picture(i)).save(tmp_path / f"{i}.png")
    with pytest.raises(UserError, match="3 pictures, but none in a class's folder"):
        load(tmp_path)
