"""What is counted and measured is called what it is: on the bar, in the metrics, on the axes."""

import shutil

import pytest
from commands import run
from followed import FollowedTask, trainer_of
from trainings import TRAININGS

from minirnn import Run
from minirnn.training.rows import said_of

figure = pytest.importorskip("matplotlib.figure")

UNITS = {
    "classify": ("sequences", "nats per sequence"),
    "draw": ("pixels", "nats per pixel"),
    "cloze": ("tokens", "nats per token, the sum of the three models"),
    "forecast": ("values", "squared error, the sum of the models"),
}
"""Of the tasks that count no tokens, or have a loss that is not in nats per token."""


@pytest.fixture
def axes(monkeypatch):
    """The names of the vertical axes of the pictures that would have been written."""
    found = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: found.append(self.axes[0].get_ylabel()))
    return found


@pytest.mark.parametrize("task", TRAININGS)
def test_metrics_and_axes_have_the_units_of_the_task(task, small_runs, here, capsys, axes):
    counted, unit = UNITS.get(task, ("tokens", "nats per token"))
    row = Run(small_runs / task).metrics()[-1]
    assert [name for name in row if name.endswith("_per_second")] == [f"{counted}_per_second"]
    assert run("show", "loss", small_runs / task) == 0
    assert axes == [f"loss ({unit})"]
    assert f"\nloss ({unit})\n" in f"\n{capsys.readouterr().out}"
    if task == "forecast":  # whose own picture is of its errors
        return
    shutil.copytree(small_runs / task, "again")
    axes.clear()
    assert run("train", task, "--resume", "again", "--epochs", 2, "--quiet") == 0
    assert f"loss ({unit})" in axes


def test_curves_in_different_units_say_each_its_own(small_runs, here, capsys, axes):
    assert run("show", "loss", small_runs / "lm", small_runs / "classify", small_runs / "translate") == 0
    out = capsys.readouterr().out
    assert axes == ["loss"]
    for task, unit in (("lm", "nats per token"), ("classify", "nats per sequence")):
        assert f"{small_runs / task} ({unit}), held-out" in out


def test_the_bar_counts_what_the_task_counts():
    task = FollowedTask(batches=[(1.0, 3)])
    trainer = trainer_of(task)
    trainer.train(1)
    trainer.place.tokens, trainer.place.seconds = 6, 2.0
    assert said_of(task, trainer.place)[-1] == "3 tokens/s"
    task.counted, task.loss_unit = "pixels", "nats per pixel"
    assert said_of(task, trainer.place)[-1] == "3 pixels/s"


def test_a_loss_on_rewards_is_not_called_a_likelihood(small_runs, here, axes):
    begun = ("train", "translate", "--from", small_runs / "translate", "--reward", "bleu", "--samples", 2)
    assert run(*begun, "--data", "pairs.tsv", "--quiet", "--out", "rewarded") == 0
    assert run("show", "loss", "rewarded") == 0
    assert {name for name in axes if "loss" in name} == {
        "loss (held-out: nats per token; training: a loss with the gradient of the reward)"
    }
