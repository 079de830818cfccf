"""Whether a run computes with kernels is kept in it, for they round differently."""

import json

import pytest
from commands import refused, run

from minirnn.cli import main, training

SMALL = ["train", "lm", "--hidden", "4", "--epochs", "1", "--quiet"]


@pytest.mark.parametrize(("asked", "kept"), [([], None), (["--no-kernels"], False), (["--kernels"], True)])
def test_a_run_goes_on_with_the_kernels_that_it_began_with(asked, kept, tmp_path, monkeypatch, data_text):
    used = []
    for module in (main, training):  # there may be none on this machine
        monkeypatch.setattr(module, "use_kernels", lambda wanted, **_: used.append(wanted))
    folder = tmp_path / "r"
    kernels = lambda: json.loads((folder / "run.json").read_text())["kernels"]
    assert run(*asked, *SMALL, "--data", data_text, "--out", folder) == 0
    assert (used, kernels()) == ([kept], kept)
    used.clear()
    assert run("train", "lm", "--resume", folder, "--epochs", 2, "--quiet") == 0
    assert (used, kernels()) == ([None, kept], kept)
    assert run("--no-kernels", "train", "lm", "--resume", folder, "--epochs", 3, "--quiet") == 0
    assert (used[2:], kernels()) == ([False], False)


def test_kernels_that_are_no_choice_are_damage(tmp_path, capsys, data_text):
    folder = tmp_path / "r"
    assert run(*SMALL, "--data", data_text, "--out", folder) == 0
    capsys.readouterr()
    config = json.loads((folder / "run.json").read_text())
    for bad in ("yes", 1.5, []):
        (folder / "run.json").write_text(json.dumps({**config, "kernels": bad}))
        assert "run.json: damaged: kernels" in refused(capsys, "train", "lm", "--resume", folder, "--epochs", 2)
    del config["kernels"]  # as in the runs of older versions
    (folder / "run.json").write_text(json.dumps(config))
    assert run("train", "lm", "--resume", folder, "--epochs", 2, "--quiet") == 0


@pytest.fixture
def data_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 200)
    return path
