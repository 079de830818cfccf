"""The file of a text's ids: whole, or none."""

import hashlib
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from minirnn.data.corpus import Scratch, Stored
from minirnn.data.token_file import Source, read_about, read_tokens, write_tokens

ABOUT = {"of": ["é", 3], "text": "abc"}


def stored(ids):
    file = Scratch()
    file.write(ids)
    return Stored(file, ids.dtype, len(ids), hashlib.sha256(ids.tobytes()).hexdigest())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_ids_come_back_from_the_file(dtype, tmp_path):
    ids, file = np.arange(2000).astype(dtype), tmp_path / "ids"
    write_tokens(file, stored(ids), ABOUT)
    steps = []
    found = read_tokens(file, steps.append)
    assert (found.dtype, read_about(file)) == (ids.dtype, ABOUT)
    np.testing.assert_array_equal(found, ids)
    assert sum(steps) >= ids.nbytes
    np.testing.assert_array_equal(load_file(file)["tokens"], ids)


def test_what_is_damaged_anywhere_is_not_believed(tmp_path):
    ids, file = np.arange(40, dtype=np.uint8), tmp_path / "ids"
    write_tokens(file, stored(ids), ABOUT)
    data = file.read_bytes()
    for i in range(len(data)):
        file.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        found = read_tokens(file)
        assert found is None or found.tolist() == ids.tolist()
        assert read_about(file) in ({}, ABOUT)
    for size in (*range(0, len(data), 7), len(data) - 1):
        file.write_bytes(data[:size])
        assert read_tokens(file) is None
    file.write_bytes(data + b"\0")
    assert read_tokens(file) is None
    for strange in (b"", b"\xff" * 100, b"\2\0\0\0\0\0\0\0[]", b"\2\0\0\0\0\0\0\0{}"):
        file.write_bytes(strange)
        assert (read_tokens(file), read_about(file)) == (None, {})
    file.unlink()
    assert (read_tokens(file), read_about(file)) == (None, {})


def test_a_source_is_another_when_it_is_touched_moved_or_grown(tmp_path):
    file, other = tmp_path / "text", tmp_path / "other"
    file.write_text("abc")
    was = Source.of(str(file))
    assert was == Source.of(str(tmp_path / "." / "text"))
    os.utime(file, ns=(0, 10**18))
    assert Source.of(str(file)) not in (None, was)
    other.write_text("abc")
    os.utime(other, ns=(0, 10**18))
    assert Source.of(str(other)) != Source.of(str(file))
    assert Source.of(str(tmp_path)) is None
    assert Source.of(str(tmp_path / "none")) is None
