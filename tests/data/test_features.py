"""Features of one's own: what is read, and what is refused in one line."""

import io
import struct
import zipfile

import numpy as np
import pytest
from refusals import outcome, refusal, taken

from minirnn.data import features as module
from minirnn.data.features import Features, read_features


def saved(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def values(*shape, dtype=np.float32):
    return np.random.default_rng(3).normal(0, 9, shape or (3, 4, 5)).astype(dtype)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "i4", "u1", "u8", ">i2"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_features(written, dtype, save):
    wanted = abs(values(3, 6, 5, dtype=dtype))
    found = read_features(written(saved(save, features=wanted), "f.npz"))
    assert isinstance(found, Features)
    assert found.values.dtype == np.float32
    assert found.values.dtype.isnative
    assert found.values.flags.c_contiguous
    np.testing.assert_array_equal(found.values, wanted.astype(np.float32))
    assert found.names == ["0", "1", "2"]
    assert found.grid is None


def test_features_with_names_and_a_grid(written):
    names = np.array(["b.png", "é", "猫.jpg"])
    turned = np.asfortranarray(values(3, 6, 5))
    found = read_features(written(saved(features=turned, names=names, grid=np.array([2, 3]), other=names), "f.npz"))
    np.testing.assert_array_equal(found.values, values(3, 6, 5))
    assert found.values.flags.c_contiguous
    assert found.names == ["b.png", "é", "猫.jpg"]
    assert all(type(name) is str for name in found.names)
    assert found.grid == (2, 3)
    assert all(type(side) is int for side in found.grid)


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({"other": values()}, "expected an array `features` among ['other']"),
        ({}, "expected an array `features` among []"),
        ({"features": values(3, 4)}, r"features must be numbers"),
        ({"features": values(3, 4, 5, 6)}, r"not floats of shape (3, 4, 5, 6)"),
        ({"features": np.float32(3)}, "features must be numbers"),
        ({"features": values(0, 4, 5)}, "shape (0, 4, 5)"),
        ({"features": values(3, 0, 5)}, "shape (3, 0, 5)"),
        ({"features": values(3, 4, 0)}, "shape (3, 4, 0)"),
        ({"features": values() > 0}, "not truth values"),
        ({"features": values().astype(complex)}, "not others"),
        ({"features": values().astype("U")}, "not strings"),
        ({"features": np.zeros((3, 4, 5), [("a", "f4")])}, "not others"),
        ({"features": np.zeros((3, 4, 5), [("ä☃", "f4")])}, "`features` must be a plain array"),
        ({"features": np.full((1, 1, 1), None)}, "not pickled objects"),
        ({"features": values(), "names": np.full(3, None)}, "not pickled objects"),
        ({"features": values(), "names": np.array(["a", "b"])}, "names must be 3 strings, not strings of shape (2,)"),
        ({"features": values(), "names": np.array([["a", "b", "c"]])}, "names must be 3 strings"),
        ({"features": values(), "names": np.arange(3)}, "not integers"),
        ({"features": values(), "names": np.array([b"a", b"b", b"c"])}, "not bytes"),
        ({"features": values(), "names": np.array(["a", "b", "a"])}, "'a' is there twice"),
        ({"features": values(), "names": np.frombuffer(b"\xff" * 12, "U1")}, "damaged"),
        ({"features": values(), "grid": np.array([2, 3])}, "grid must have 4 regions, not 2 x 3"),
        ({"features": values(), "grid": np.array([-2, -2])}, "grid must have 4 regions"),
        ({"features": values(), "grid": np.array([2.0, 2.0])}, "not floats"),
        ({"features": values(), "grid": np.array([2, 2, 1])}, "grid must be two integers"),
        ({"features": values(), "grid": np.array(4)}, "grid must be two integers"),
    ],
)
@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_features_that_are_none(written, arrays, wanted):
    assert wanted in refusal(read_features, written(saved(**arrays), "f.npz"))


@pytest.mark.parametrize("stranger", [np.nan, np.inf, -np.inf, 1e300])
def test_features_that_are_not_finite(written, stranger):
    wrong = values(dtype=np.float64)
    wrong[2, 1, 0] = stranger
    with np.errstate(all="raise"):
        message = refusal(read_features, written(saved(features=wrong, names=np.array(["a", "b", "c"])), "f.npz"))
    assert "those of 'c' (row 2) are not" in message


def test_what_is_no_features_file(written, tmp_path):
    plain = io.BytesIO()
    np.save(plain, values())
    for data in (b"", b"no zip", plain.getvalue(), b"PK\x05\x06", b"PK\x03\x04" + bytes(60)):
        assert "damaged .npz file" in refusal(read_features, written(data, "f.npz"))
    with pytest.raises(FileNotFoundError):
        read_features(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError):
        read_features(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_features_file_cut_anywhere(written, save):
    data = saved(save, features=values(), names=np.array(["a", "b", "c"]))
    for length in range(len(data)):
        refusal(read_features, written(data[:length], "f.npz"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bytes_of_features_are_read_or_refused(written, save):
    data = saved(save, features=values(), names=np.array(["a", "b", "c"]), grid=np.array([2, 2]))
    rng = np.random.default_rng(5)
    for _ in range(300):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), int(rng.integers(1, 6))):
            changed[at] = rng.integers(256)
        found = outcome(read_features, written(bytes(changed), "f.npz"))
        assert found is None or found.values.shape == (3, 4, 5)


def npy(header, data=b"", version=1):
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def zipped(method=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "member",
    [
        npy(HEADER.format("<f4", (1000, 1000, 1000))),
        npy(HEADER.format("<f4", (1000, 1000, 1000)), bytes(4000)),
        npy(HEADER.format("<f4", (2**40, 2**40, 2**40))),
        npy(HEADER.format("<f4", (2**32, 2**32, 1))),  # 0 elements in 64 bits
        npy(HEADER.format("<f4", (-1, -1, 1)), bytes(4)),
        npy(HEADER.format("<f4", (1, 1, 2)), bytes(4)),
        npy(HEADER.format("<f4", (1, 1, 1)), bytes(5)),
        npy(HEADER.format("<f4", (1, 1, 1)), bytes(4), 2)[:10],
        npy(HEADER.format("<f4", "(1, 1, None)"), bytes(4)),
        npy(HEADER.format("nonsense", (1, 1, 1)), bytes(4)),
        npy("(" * 9000),
        npy("-" * 9000 + "1"),
        npy("{" + " " * 20_000 + "}"),
        npy("", version=3),
        b"",
    ],
)
def test_a_header_that_does_not_fit_its_file_takes_no_memory(written, member):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = written(zipped(method, features=member), "f.npz")
        assert taken(lambda path=path: refusal(read_features, path)) < 3_000_000


def test_names_of_no_letters(written):
    header = npy(HEADER.format("<U0", (2**40,)))
    path = written(zipped(features=npy(HEADER.format("<f4", (1, 1, 1)), bytes(4)), names=header), "f.npz")
    assert taken(lambda: refusal(read_features, path)) < 1_000_000


def test_a_header_of_version_two(written):
    path = written(zipped(features=npy(HEADER.format("<f4", (1, 1, 1)), bytes(4), 2)), "f.npz")
    assert read_features(path).values.tolist() == [[[0.0]]]


def test_a_file_that_swells(written, monkeypatch):
    zeros = np.zeros((100, 100, 100), np.float32)
    path = written(saved(np.savez_compressed, features=zeros), "f.npz")
    assert path.stat().st_size < zeros.nbytes / 200
    assert read_features(path).values.shape == (100, 100, 100)  # 4 MB do no harm
    monkeypatch.setattr(module, "MOST_UNPACKED", 2**20)
    assert taken(lambda: refusal(read_features, path)) < 1_000_000
    assert "of `features` hold 4,000,128" in refusal(read_features, path)
    assert read_features(written(saved(features=zeros), "g.npz")).values.shape == (100, 100, 100)


def test_a_member_that_claims_more_than_the_file(written):
    data = bytearray(zipped(features=npy(HEADER.format("<f4", (2**20, 2**8, 1)))))
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = struct.pack("<2I", 2**30 + 128, 2**30 + 128)
    path = written(bytes(data), "f.npz")
    assert taken(lambda: refusal(read_features, path)) < 1_000_000
    assert "larger than the file" in refusal(read_features, path)
