"""Help that can be read: short usage, options under titles, and every cell explained from its own docstring."""

import argparse
import math

import pytest
from commands import refused, run

from minirnn import CELL_NAMES, Cell
from minirnn.cells import VARIANTS
from minirnn.cli.main import build_parser
from minirnn.cli.options import BRIEF
from minirnn.inspection.listing import about, listing

MOST_UNDER_A_TITLE = 15


def commands(parser, words=()):
    """Every command that does something, and its parser."""
    (groups, *_) = [[a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]]
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*words, name))
    if not groups:
        yield words, parser


COMMANDS = {" ".join(words): parser for words, parser in commands(build_parser())}


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_long_helps_stand_under_titles(name):
    parser = COMMANDS[name]
    options = [action for action in parser._actions if action.option_strings]
    under = {group.title: group._group_actions for group in parser._action_groups}
    assert sum(map(len, under.values())) == len(parser._actions)
    assert all(len(actions) <= MOST_UNDER_A_TITLE for actions in under.values())
    if len(options) > 12:
        assert len(under["options"]) <= 2
    usage = parser.format_usage()
    assert usage.count("\n") <= 5
    assert ("[options]" in usage) == (len(options) > BRIEF)
    assert list(under)[-1] == "computing"


def test_an_option_of_a_model_need_not_be_listed_to_be_found():
    under = {group.title: group._group_actions for group in COMMANDS["train translate"]._action_groups}
    titles = {
        action.option_strings[0]: title
        for title, actions in under.items()
        for action in actions
        if action.option_strings
    }
    expected = {
        "--data": "data",
        "--bridge": "model",
        "--cell": "model",
        "--score": "attention",
        "--lr": "learning rate",
    }
    expected |= {"--reward": "rewards, for training with --from", "--resume": "the run", "--device": "computing"}
    assert expected.items() <= titles.items()


def test_usage_of_arguments_stays(capsys):
    assert COMMANDS["translate"].format_usage() == "usage: minirnn translate [options] RUN [SENTENCE ...]\n"
    assert "(see minirnn translate --help)" in refused(capsys, "translate")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_does_not_know_leads_to_its_own_help(capsys, name):
    needed = [action for action in COMMANDS[name]._actions if not action.option_strings and action.nargs is None]
    words = [next(iter(action.choices)) if action.choices else "x" for action in needed]
    words = ["lstm"] if name == "read" else words  # of which one can be read
    said = refused(capsys, *name.split(), *words, "--no-such-option", "x")
    assert said.startswith(f"minirnn {name}: error: unrecognized arguments: --no-such-option")
    assert said.endswith(f"(see minirnn {name} --help)\n")


@pytest.mark.parametrize("group", ["train", "show"])
def test_what_a_group_of_commands_does_not_know_leads_to_the_help_of_the_group(capsys, group):
    assert refused(capsys, group, "--x", "gradients" if group == "show" else "lm").endswith(
        f"--x (see minirnn {group} --help)\n"
    )


def test_every_cell_is_explained(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run("cells") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(CELL_NAMES), "at this width each has one line"
    said = {one.name: one.what for one in listing()}
    assert len(set(said.values())) == len(CELL_NAMES), "no two of them the same"
    assert said["lstm-nig"] == "a peephole LSTM without input gate: i = 1"
    assert said["gru"].startswith("The gated recurrent unit (Cho et al. 2014) as in the paper")
    assert (about("lstm").parameters, about("gru").parameters, about("rnn").parameters) == (8, 6, 2)
    monkeypatch.setenv("COLUMNS", "60")
    assert run("cells") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_new_cell_is_explained_by_its_docstring(monkeypatch):
    class Mine(Cell):
        """A unit of one's own (et al. 2026). It does more.

        (1)  h_t = tanh(a)
        """

        variants = {"mine": {}, "mine-deep": {"depth": 2, "wide": True}}
        gates = "kh"

        def __init__(self, depth=1, wide=False):
            pass

    monkeypatch.setitem(VARIANTS, "mine", (Mine, {}))
    monkeypatch.setitem(VARIANTS, "mine-deep", (Mine, {"depth": 2, "wide": True}))
    monkeypatch.setattr("minirnn.inspection.listing.CELL_NAMES", (*CELL_NAMES, "mine", "mine-deep"))
    assert listing()[-2:] == [about("mine"), about("mine-deep")]
    assert about("mine").what == "A unit of one's own (et al. 2026)"
    assert about("mine-deep") == ("mine-deep", "kh", 4, "A unit of one's own (et al. 2026) (depth: 2, wide)")


def test_weights_are_those_that_a_layer_has():
    for one in listing():
        shapes = VARIANTS[one.name][0](**VARIANTS[one.name][1]).weight_shapes(50, 50).values()
        assert sum(map(math.prod, shapes)) / 50**2 == pytest.approx(one.parameters, rel=0.1)
