"""What modules, optimisers and the like print."""

import inspect
import re

import numpy as np
import pytest
from translation_cases import DECODERS, build

import minirnn
from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    AdamW,
    Codec,
    Conv2d,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    Module,
    ModuleDict,
    Parameter,
    Recurrent,
    RMSProp,
    Sequential,
    Tanh,
    Vocabulary,
    make_cell,
)  # fmt: skip
from minirnn.training import schedules

TREE = """\
Sequential(  # 24 parameters
  (0): Linear(3, 4)  # 16 parameters
  (1): Tanh()
  (2): Linear(4, 2, bias=False)  # 8 parameters
)"""

TABLE = """\
name      layer   shape   parameters
------------------------------------
0.weight  Linear  (4, 3)          12
0.bias    Linear  (4,)             4
2.weight  Linear  (2, 4)           8
------------------------------------
total                             24"""


def small():
    return Sequential(Linear(3, 4), Tanh(), Linear(4, 2, bias=False))


def test_a_module_prints_as_a_tree():
    assert repr(small()) == str(small()) == TREE


def test_a_summary_is_a_table_with_a_total():
    assert str(small().summary()) == repr(small().summary()) == TABLE
    assert small().summary().total == small().num_parameters() == 24


def test_what_is_frozen_is_said_to_be():
    model = small()
    model[0].requires_grad_(False)
    assert repr(model).startswith("Sequential(  # 24 parameters, 16 of them frozen\n")
    assert "(0): Linear(3, 4)  # 16 parameters, frozen\n" in repr(model)
    summary = model.summary()
    assert (summary.total, summary.trained) == (24, 8)
    assert re.search(r"12 frozen\n.*\btotal +24 *\nof them trained +8", str(summary), re.S)


class Holder(Module):
    """Parameters of its own, lists and dicts of modules, and one module twice."""

    def __init__(self):
        self.scale = Parameter(np.ones(3, np.float32))
        self.blocks = [Linear(3, 3), {"in": Linear(3, 1)}]
        self.again = self.blocks[0]


def test_lists_dicts_and_parameters_of_ones_own_are_in_the_tree():
    text = repr(Holder())
    assert text.startswith("Holder(  # 19 parameters\n  (scale): Parameter of shape (3,)\n")
    assert "(blocks.1.in): Linear(3, 1)  # 4 parameters" in text
    assert [row.name for row in Holder().summary().rows] == [
        "scale", "blocks.0.weight", "blocks.0.bias", "blocks.1.in.weight", "blocks.1.in.bias"
    ]  # fmt: skip
    assert Holder().summary().total == 19
    assert str(Tanh().summary()).endswith("\ntotal                         0")


ADAM = (
    "Adam(learning_rate=0.001, weight_decay=0.0, betas=(0.9, 0.999), epsilon=1e-08)  # of 3 parameters, after 0 steps"
)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LSTM(28, 256, num_layers=2), "LSTM(28, 256, num_layers=2)  # 817,152 parameters"),
        (lambda: GRU(2, 3, bidirectional=True, dropout=0.5),
         "GRU(2, 3, bidirectional=True, dropout=0.5)  # 108 parameters"),
        (lambda: GRU(2, 3, reset="after"), "GRU(2, 3, reset='after')  # 57 parameters"),
        (lambda: RNN(2, 3, nonlinearity="relu", reverse=True),
         "RNN(2, 3, reverse=True, nonlinearity='relu')  # 18 parameters"),
        (lambda: LSTM(2, 3, peepholes=True), "LSTM(2, 3, peepholes=True)  # 81 parameters"),
        (lambda: Recurrent("lstm-nig", 2, 3), "Recurrent('lstm-nig', 2, 3)  # 60 parameters"),
        (lambda: Recurrent(make_cell("gru"), 2, 3), "Recurrent('GRUCell', 2, 3)  # 54 parameters"),
        (lambda: Embedding(10, 3), "Embedding(10, 3)  # 30 parameters"),
        (lambda: LayerNorm(4), "LayerNorm(4)  # 8 parameters"),
        (lambda: LayerNorm(4, epsilon=0.1), "LayerNorm(4, epsilon=0.1)  # 8 parameters"),
        (lambda: Dropout(0.3, variational=True), "Dropout(0.3, variational=True)"),
        (lambda: Conv2d(1, 2, 3, padding=1), "Conv2d(1, 2, (3, 3), padding=(1, 1))  # 20 parameters"),
        (lambda: minirnn.MaxPool2d(2), "MaxPool2d((2, 2))"),
        (lambda: minirnn.AvgPool2d(2, stride=1), "AvgPool2d((2, 2), stride=(1, 1))"),
        (lambda: minirnn.PReLU(3), "PReLU(3)  # 3 parameters"),
        (lambda: ModuleDict({"a": Linear(1, 1)}),
         "ModuleDict(  # 2 parameters\n  (a): Linear(1, 1)  # 2 parameters\n)"),
        (lambda: Adam([Parameter(np.zeros(3))]), ADAM),
        (lambda: SGD([Parameter(np.zeros(3))], 0.1, momentum=0.9),
         "SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.0)  # of 3 parameters, after 0 steps"),
        (lambda: schedules.warmup(100), "warmup(steps=100)"),
        (lambda: schedules.product([schedules.cosine(5), schedules.plateau(0.5, patience=2)]),
         "product(schedules=[cosine(steps=5), plateau(factor=0.5, patience=2)])"),
        (lambda: schedules.linear_forcing(10, least=0.1), "linear_forcing(steps=10, least=0.1)"),
        (lambda: Vocabulary("ab"), "Vocabulary(2 tokens: 'a', 'b')"),
        (lambda: Vocabulary("abcdefghijkl"), "Vocabulary(12 tokens: 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', …)"),
        (lambda: Codec.build(["a b"]),
         "Codec('word', 'lower', Vocabulary(6 tokens: '<pad>', '<bos>', '<eos>', '<unk>', 'a', 'b'))"),
        (lambda: make_cell("lstm"), "<LSTMCell: i f g o>"),
        (lambda: make_cell("rnn"), "<RNNCell: h>"),
    ],
)  # fmt: skip
def test_everything_prints_as_the_call_that_makes_it(make, text):
    assert repr(make()) == text


def test_what_is_made_of_models_says_so():
    codec = Codec.build(["a b"])
    words = "Codec('word', 'lower', Vocabulary(6 tokens: '<pad>', '<bos>', '<eos>', '<unk>', 'a', 'b'))"
    model = minirnn.EncoderDecoder(
        minirnn.RecurrentEncoder(6, 2, 2, rng=0), minirnn.AttentionDecoder(6, 2, 2, 2, rng=0)
    )
    by = f"by EncoderDecoder of {model.num_parameters()} parameters"
    assert repr(minirnn.Translator(model, codec, codec)) == f"Translator({words} to {words} {by})"
    lm = minirnn.LanguageModel(5, 3)
    task = minirnn.LanguageModeling(lm, np.arange(100) % 5, np.arange(9) % 5, batch_size=2, num_steps=5, rng=0)
    trainer = minirnn.Trainer(task, SGD(lm.named_parameters(), 0.5), progress=False)
    text = f"Trainer(LanguageModeling at epoch 0, step 0, {trainer.optimizer!r})"
    assert repr(trainer) == text
    counts = minirnn.NGram(np.arange(100) % 5, 5, 2)
    assert repr(counts) == "NGram(n=2, 'kneser-ney', of 5 tokens)"
    drawn = minirnn.NeighbourCounts(np.zeros((2, 3, 3), np.uint8), 2, most=3)
    assert repr(drawn) == "NeighbourCounts(2 colours, up to 3 neighbours)"


def test_an_optimiser_tells_its_rate_and_its_steps_of_now():
    p = Parameter(np.zeros(3))
    for make in (Adam, AdamW, RMSProp, lambda p, rate: SGD(p, rate)):
        optimizer = make([p], 0.5)
        p.grad = np.ones(3)
        optimizer.step()
        optimizer.learning_rate = 0.25
        assert "(learning_rate=0.25, " in repr(optimizer)
        assert repr(optimizer).endswith("after 1 step")


@pytest.mark.parametrize("name", CELL_NAMES)
def test_every_cell_has_its_name_on_its_layer(name):
    assert repr(Recurrent(name, 2, 3)).startswith(f"Recurrent({name!r}, 2, 3)  # ")


MODELS = [lambda kind=kind: build(kind) for kind in DECODERS]
MODELS += [
    lambda: minirnn.LanguageModel(5, 3), lambda: minirnn.SequenceClassifier(5, 3, 2), lambda: minirnn.ClozeModel(5, 3),
    lambda: minirnn.PictureEncoder(8, 20, filters=2), lambda: minirnn.RegionEncoder(4, 5, 20),
    lambda: minirnn.VideoEncoder(8, 5, 3, filters=2), lambda: minirnn.Attention("additive", 2, 3, 4),
]  # fmt: skip


@pytest.mark.parametrize("make", MODELS)
def test_every_model_prints_and_adds_up(make):
    model = make()
    text, summary = repr(model), model.summary() if inspect.ismethod(model.summary) else None
    assert text.startswith(f"{type(model).__name__}(  # {model.num_parameters():,} parameters\n")
    assert text.count("(") == text.count(")")
    assert " object at 0x" not in text
    assert summary.total == model.num_parameters()
    assert {row.name for row in summary.rows} == set(model.named_parameters())


class Odd(Module):
    def extra_repr(self):
        return "'<b>&'"


def test_a_notebook_shows_the_tree_and_the_table_and_nothing_is_taken_for_html():
    tree, table = small()._repr_html_(), small().summary()._repr_html_()
    assert tree.count("<details open>") == 1
    assert "<code>(2): Linear(4, 2, bias=False)  # 8 parameters</code>" in tree
    assert table.count("<tr>") == 5
    assert "<td>0.weight</td><td>Linear</td><td>(4, 3)</td><td>12</td>" in table
    odd = Sequential(Odd())._repr_html_()
    assert "&lt;b&gt;&amp;" in odd
    assert "<b>" not in odd
    strange = ModuleDict({"<i>": Linear(1, 1)})
    assert "<i>" not in strange._repr_html_() + strange.summary()._repr_html_()
    for opened in ("div", "details", "summary", "code"):
        assert tree.count(f"<{opened}") == tree.count(f"</{opened}>")
