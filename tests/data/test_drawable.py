"""Pictures of one's own to be drawn: folders and .npz files, and what is refused in one line."""

import io
import struct
import zipfile

import numpy as np
import pytest
from refusals import outcome, refusal, taken

from minirnn.data import drawable as module
from minirnn.data.drawable import Drawable, read_drawable, split
from minirnn.errors import InputError

Image = pytest.importorskip("PIL.Image")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def packed(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def plain(value, size=4):
    return packed(np.full((size, size, 3), value, np.uint8))


def saved(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


# Folders


def test_a_folder(written, tmp_path):
    for i, name in enumerate(["10.png", "9.png", "b.PNG", "a.png"]):
        written(plain(i), name)
    for name in ("notes.txt", ".hidden.png", ".git/1.png", "empty/readme.txt"):
        written(b"no picture", name)
    found = read_drawable(tmp_path)
    assert isinstance(found, Drawable)
    assert (found.pictures.shape, found.pictures.dtype) == ((4, 28, 28, 3), np.uint8)
    assert found.names == ["9.png", "10.png", "a.png", "b.PNG"]
    assert found.pictures[:, 0, 0, 0].tolist() == [1, 0, 3, 2]
    assert found.labels is None
    assert found.classes == []
    assert read_drawable(str(tmp_path), 2).pictures.shape == (4, 2, 2, 3)


def test_a_folder_of_classes(written, tmp_path):
    for i, name in enumerate(["10/a.png", "2/b.png", "2/a.png", "cat/1.png"]):
        written(plain(i), name)
    written(b"not so deep", "cat/deeper/1.png")
    found = read_drawable(tmp_path, 4)
    assert found.names == ["2/a.png", "2/b.png", "10/a.png", "cat/1.png"]
    assert found.labels == ["2", "2", "10", "cat"]
    assert found.classes == ["2", "10", "cat"]
    assert found.pictures[:, 0, 0, 0].tolist() == [2, 1, 0, 3]


def test_either_all_pictures_lie_in_subfolders_or_none(written, tmp_path):
    for name in ("cat/1.png", "cat/2.png", "3.png"):
        written(plain(0), name)
    assert "found 2 there, and 1 beside them" in refusal(read_drawable, tmp_path, 4)


def test_pictures_of_a_folder_are_resampled(written, tmp_path):
    small = noise(4, 4, 3)
    written(packed(np.kron(small, np.ones((7, 7, 1), np.uint8))), "1.png")
    np.testing.assert_array_equal(read_drawable(tmp_path, 4).pictures[0], small)
    assert (read_drawable(tmp_path, 4, "lanczos").pictures[0] != small).any()
    with pytest.raises(InputError, match="unknown resampling 'nearest'"):
        read_drawable(tmp_path, 4, "nearest")


def test_a_folder_without_pictures(written, tmp_path):
    assert "expected pictures (.png" in refusal(read_drawable, tmp_path)
    written(b"", "a/b/1.png")
    assert "found none" in refusal(read_drawable, tmp_path)


def test_a_damaged_picture_of_a_folder_is_named(written, tmp_path):
    written(plain(0), "a/1.png")
    written(plain(0)[:-20], "a/2.png")
    assert "2.png: damaged picture" in refusal(read_drawable, tmp_path)


def test_too_much_in_a_folder(written, tmp_path, monkeypatch):
    for i in range(5):
        written(b"never read", f"{i}.png")
    message = refusal(read_drawable, tmp_path, 10_000)
    assert "at most 1,073,741,824 bytes of pixels, found 1,500,000,000: 5 pictures of 10,000 x 10,000 x 3" in message
    assert "bytes of pixels" in refusal(read_drawable, tmp_path, 10**12)
    monkeypatch.setattr(module, "MOST_PICTURES", 4)
    assert "at most 4 pictures, found 5" in refusal(read_drawable, tmp_path)


@pytest.mark.parametrize("name", ["a\nb", " ", "\x1b[31m", "x" * 101])
def test_folders_whose_names_cannot_be_printed_are_no_classes(written, tmp_path, name):
    written(plain(0), f"{name}/1.png")
    assert "a class must have a name of 1 to 100 letters" in refusal(read_drawable, tmp_path)


# .npz files


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_file(written, save):
    grey, colour = noise(3, 6, 6), noise(3, 6, 6, 3)
    found = read_drawable(written(saved(save, x=colour), "x.npz"))
    np.testing.assert_array_equal(found.pictures, colour)
    assert found.names == ["0", "1", "2"]
    assert found.labels is None
    found = read_drawable(written(saved(save, x=np.asfortranarray(grey), y=np.array([7, 10, 7]), z=grey), "x.npz"), 6)
    np.testing.assert_array_equal(found.pictures, np.stack([grey] * 3, axis=3))
    assert found.pictures.flags.c_contiguous
    assert found.pictures.flags.writeable
    assert found.labels == ["7", "10", "7"]
    assert found.classes == ["7", "10"]
    found = read_drawable(written(saved(save, x=grey, y=np.array(["é", "a b", "猫"])), "x.NPZ"))
    assert found.labels == ["é", "a b", "猫"]
    assert all(type(label) is str for label in found.labels)


def test_an_npz_file_is_made_smaller_by_means(written):
    for wide in (noise(3, 12, 12), noise(3, 12, 12, 3)):
        path = written(saved(x=wide), "x.npz")
        for size in (2, 3, 4, 6):
            found = read_drawable(path, size).pictures
            tiles = wide.reshape(3, size, 12 // size, size, 12 // size, *wide.shape[3:]).astype(float)
            means = np.floor(tiles.mean(axis=(2, 4)) + 0.5 + 1e-9)
            np.testing.assert_array_equal(found, means if wide.ndim == 4 else np.stack([means] * 3, axis=3))
        for size in (5, 8, 24):
            assert f"need a size that divides 12, not {size}" in refusal(read_drawable, path, size)
    bright = np.full((1, 8, 8), 255, np.uint8)
    assert (read_drawable(written(saved(x=bright), "x.npz"), 2).pictures == 255).all()


PICTURES = noise(3, 4, 4)


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({}, "expected an array `x` among []"),
        ({"X": PICTURES}, "expected an array `x` among ['X']"),
        ({"x": PICTURES / 255}, "x must be uint8 (N, H, H) or (N, H, H, 3), not float64 of shape (3, 4, 4)"),
        ({"x": PICTURES.astype(np.int64)}, "not int64"),
        ({"x": PICTURES > 9}, "not bool"),
        ({"x": np.zeros((3, 4, 4), [("a", "u1")])}, "not void8"),
        ({"x": PICTURES.astype(object)}, "not pickled objects"),
        ({"x": PICTURES[0]}, "of shape (4, 4)"),
        ({"x": PICTURES[0, 0, 0]}, "of shape ()"),
        ({"x": noise(3, 4, 5)}, "of shape (3, 4, 5)"),
        ({"x": noise(3, 4, 4, 4)}, "of shape (3, 4, 4, 4)"),
        ({"x": noise(3, 4, 4, 3, 1)}, "of shape (3, 4, 4, 3, 1)"),
        ({"x": noise(3, 3, 4, 4)}, "of shape (3, 3, 4, 4)"),
        ({"x": noise(0, 4, 4)}, "found (0, 4, 4)"),
        ({"x": noise(3, 0, 0)}, "found (3, 0, 0)"),
        ({"x": noise(3, 1, 1)}, "pictures of 2 x 2 pixels or more"),
        ({"x": PICTURES, "y": np.arange(2)}, "y must be 3 integers or strings, not integers of shape (2,)"),
        ({"x": PICTURES, "y": np.arange(3)[:, None]}, "of shape (3, 1)"),
        ({"x": PICTURES, "y": np.ones(3)}, "not floats"),
        ({"x": PICTURES, "y": np.ones(3, bool)}, "not truth values"),
        ({"x": PICTURES, "y": np.array([b"a", b"b", b"c"])}, "not bytes"),
        ({"x": PICTURES, "y": np.array(["a", "b", None])}, "not pickled objects"),
        ({"x": PICTURES, "y": np.array(["a", "", "c"])}, "a class must have a name of 1 to 100 letters"),
        ({"x": PICTURES, "y": np.array(["a", "b\nb", "c"])}, "that can be printed, not 'b\\nb'"),
        ({"x": PICTURES, "y": np.array(["a", "b", "7" * 5000])}, "at most 100 letters"),
        ({"x": PICTURES, "y": np.frombuffer(b"\xff" * 12, "U1")}, "damaged"),
    ],
)
def test_npz_files_that_are_not_like_that(written, arrays, wanted):
    assert wanted in refusal(read_drawable, written(saved(**arrays), "x.npz"))


def test_too_much_in_an_npz_file(written, monkeypatch):
    path = written(saved(x=noise(5, 8, 8)), "x.npz")
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 5 * 64)
    assert read_drawable(path).pictures.nbytes == module.MOST_BYTES
    assert "at most 960 bytes of pixels, found 1,152" in refusal(
        read_drawable, written(saved(x=noise(6, 8, 8)), "x.npz")
    )
    monkeypatch.setattr(module, "MOST_PICTURES", 5)
    assert "at most 5 pictures, found 6" in refusal(read_drawable, path.with_name("x.npz"))


def zipped(method=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(descr, shape, data=b""):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "members",
    [
        {"x": npy("|u1", (10_000, 100, 100), bytes(100))},
        {"x": npy("|u1", (2**40, 2**40, 2**40))},
        {"x": npy("|u1", (2**32, 2**32, 2**32))},
        {"x": npy("|u1", (-1, -2, -2), bytes(4))},
        {"x": npy("|O", (1, 2, 2), bytes(32))},
        {"x": npy("|u1", (1, 2, 2), bytes(4)), "y": npy("<U0", (2**40,))},
        {"x": npy("|u1", (1, 2, 2), bytes(4)), "y": npy("<i8", (1,))},
        {"x": b""},
    ],
)
def test_a_header_that_does_not_fit_its_file_takes_no_memory(written, members):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = written(zipped(method, **members), "x.npz")
        assert taken(lambda path=path: refusal(read_drawable, path)) < 1_000_000


def test_a_file_that_swells(written, monkeypatch):
    monkeypatch.setattr(module, "MOST_UNPACKED", 2**20)
    path = written(saved(np.savez_compressed, x=np.zeros((200, 100, 100), np.uint8)), "x.npz")
    assert taken(lambda: refusal(read_drawable, path)) < 1_000_000
    assert "of `x` hold 2,000,128" in refusal(read_drawable, path)


def test_nothing_is_unpickled(written, tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    for arrays in ({"x": np.array([[[Trap()]]])}, {"x": PICTURES, "y": np.array([Trap()] * 3)}):
        refusal(read_drawable, written(saved(**arrays), "x.npz"))
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_npz_file(written, tmp_path):
    for data in (b"", b"no zip", b"PK\x05\x06", b"PK\x03\x04" + bytes(60)):
        assert "damaged .npz file" in refusal(read_drawable, written(data, "x.npz"))
    assert "expected a folder of pictures or an .npz file" in refusal(read_drawable, written(plain(0), "x.png"))
    for name in ("none.npz", "none"):
        with pytest.raises(FileNotFoundError, match=name):
            read_drawable(tmp_path / name)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_cut_or_flipped_are_read_or_refused(written, save):
    data = saved(save, x=PICTURES, y=np.array(["a", "b", "c"]))
    for length in range(0, len(data), 3):
        refusal(read_drawable, written(data[:length], "x.npz"))
    rng = np.random.default_rng(5)
    for _ in range(150):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), int(rng.integers(1, 6))):
            changed[at] = rng.integers(256)
        found = outcome(read_drawable, written(bytes(changed), "x.npz"))
        assert found is None or found.pictures.shape == (3, 4, 4, 3)


@pytest.mark.parametrize("size", [1, 0, -4, 4.0, "4", True])
def test_sizes_are_integers_from_two_on(written, tmp_path, size):
    for path in (tmp_path, written(saved(x=PICTURES), "x.npz")):
        with pytest.raises(InputError, match="size must be an integer of at least 2"):
            read_drawable(path, size)


# Splits


@pytest.mark.parametrize(
    ("n", "every"), [(3, 2), (3, 10), (4, 3), (9, 10), (10, 10), (11, 10), (100, 10), (9999, 2), (70_000, 10)]
)
def test_every_picture_is_in_one_split(n, every):
    train, valid, test = split(n, every)
    assert sorted([*train, *valid, *test]) == list(range(n))
    assert min(map(len, (train, valid, test))) >= 1
    for numbers in (train, valid, test):
        assert (np.diff(numbers) > 0).all()
    if n > every:
        assert test.tolist() == list(range(every - 1, n, every))
    assert len(valid) <= 500


def test_a_split_is_spread_evenly():
    train, valid, test = split(100, 10)
    assert test.tolist() == list(range(9, 100, 10))
    assert valid.tolist() == [10, 21, 32, 43, 54, 65, 76, 87, 98]
    assert len(train) == 81
    _, valid, _ = split(70_000, 10)
    assert 480 <= len(valid) <= 500
    assert np.diff(valid).max() < 150
    assert valid[-1] > 69_800


@pytest.mark.parametrize(
    ("n", "every"), [(2, 10), (0, 10), (-1, 10), (10, 1), (10, 0), (10.0, 2), (True, 2), (10, None)]
)
def test_splits_of_too_few(n, every):
    with pytest.raises(InputError, match=r"must be an integer of at least [23]"):
        split(n, every)
