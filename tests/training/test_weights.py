"""The weights of a model of one's own, written and read in one call each."""

import numpy as np
import pytest

from minirnn import GRU, InputError, Linear, Module, Run, load, load_checkpoint, save, save_checkpoint
from minirnn.training.checkpoint import read_version
from minirnn.version import __version__, is_newer


class Model(Module):
    def __init__(self, size=3, rng=0):
        self.gru, self.out = GRU(2, size, rng=rng), Linear(size, 1, rng=rng)


def test_what_is_saved_is_loaded(tmp_path):
    model, other = Model(), Model(rng=1)
    save(model, tmp_path / "my.safetensors")
    assert load(tmp_path / "my.safetensors", other) is other
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])
    assert other.training
    arrays, meta = load_checkpoint(tmp_path / "my.safetensors")
    assert arrays.keys() == model.state_dict().keys()
    assert meta == {"module": "Model"}
    assert read_version(tmp_path / "my.safetensors") == __version__


def test_dtype_and_a_path_as_text(tmp_path):
    file = str(tmp_path / "my.safetensors")
    save(Model(), file)
    kept = load(file, Model(rng=1).astype("float64"))
    assert {p.dtype for p in kept.parameters()} == {np.dtype("float64")}
    assert {p.dtype for p in load(file, kept, dtype="float32").parameters()} == {np.dtype("float32")}
    with pytest.raises(InputError, match="float16"):
        load(file, kept, dtype="float16")


def test_what_does_not_fit_is_listed_and_changes_nothing(tmp_path):
    state = Model(4).state_dict()
    state["scale"] = state.pop("out.bias")
    save_checkpoint(tmp_path / "my.safetensors", state, {"module": "Model"})
    model = Model()
    before = model.state_dict()
    with pytest.raises(InputError) as error:
        load(tmp_path / "my.safetensors", model)
    said = str(error.value)
    assert said.startswith(
        f"{tmp_path / 'my.safetensors'}: these weights, of a Model, written by minirnn {__version__}, "
    )
    for part in (
        "do not fit a Model: missing parameters: out.bias; unknown parameters: scale; ",
        "parameter out.weight: expected shape (1, 3), found (1, 4)",
        "parameter gru.U_l0: expected shape (9, 3), found (12, 4)",
    ):
        assert part in said
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_many_differences_are_counted():
    model, state = Model(), {f"w{i}": np.ones(1) for i in range(30)}
    with pytest.raises(InputError, match=r"unknown parameters: w0, .*, w26, and 10 more$"):
        model.load_state_dict({**model.state_dict(), **state})


def test_the_weights_of_a_run_of_ones_own(tmp_path):
    run, model = Run.create(tmp_path / "run", {}), Model()
    run.save_last({f"model/{name}": array for name, array in model.state_dict().items()}, {"step": 3})
    run.save_best(Model(rng=5).state_dict(), {})
    for what, which, expected in (
        ("run", "last", model),
        ("run", "best", Model(rng=5)),
        ("run/last.safetensors", "best", model),
    ):
        found = load(tmp_path / what, Model(rng=1), checkpoint=which)
        for name, value in expected.state_dict().items():
            np.testing.assert_array_equal(value, found.state_dict()[name])
    with pytest.raises(InputError, match=r"run: its best weights do not fit a Model: parameter gru\.W_l0"):
        load(tmp_path / "run", Model(4))
    with pytest.raises(InputError, match="of a checkpoint, written by minirnn"):
        load(tmp_path / "run" / "last.safetensors", Model(4))


def test_mistakes_are_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "gone.safetensors", Model())
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(InputError, match="not a minirnn checkpoint"):
        load(tmp_path / "text", Model())
    with pytest.raises(InputError, match="the file comes first"):
        load(Model(), tmp_path / "text")
    with pytest.raises(TypeError, match="Module comes first"):
        save(tmp_path / "text", Model())
    with pytest.raises(TypeError, match="not a dict"):
        save(Model().state_dict(), tmp_path / "text")


def test_versions_are_compared_by_their_numbers():
    assert is_newer("0.10.0")
    assert is_newer("1")
    assert not any(map(is_newer, (__version__, "0.0.99", "0.1", "", "dev", None, 7)))


def test_a_checkpoint_from_before_versions_were_recorded(tmp_path, monkeypatch):
    save(Model(), tmp_path / "my.safetensors")
    data = (tmp_path / "my.safetensors").read_bytes()
    (tmp_path / "old.safetensors").write_bytes(data.replace(b'"version"', b'"_ersion"'))
    assert read_version(tmp_path / "old.safetensors") is None
    load(tmp_path / "old.safetensors", Model(rng=1))
    with pytest.raises(InputError, match="written by an earlier minirnn"):
        load(tmp_path / "old.safetensors", Linear(2, 3))
