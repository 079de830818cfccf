"""The GPU path, on a stand-in for the GPU: nothing mixes host and device arrays, and nothing in a step waits."""

import ast
import sys
from pathlib import Path

import device_double
import numpy as np
import pytest
from translation_cases import DECODERS, EOS, build, sentences

import minirnn
from minirnn import (
    CELL_NAMES,
    OPTIMIZERS,
    SGD,
    Adam,
    AttentionDecoder,
    Captioning,
    Codec,
    ContextDecoder,
    EncoderDecoder,
    InputError,
    LanguageModel,
    LanguageModeling,
    PictureEncoder,
    Recurrent,
    RegionEncoder,
    Tensor,
    Trainer,
    Translation,
    Translator,
    VideoEncoder,
    Vocabulary,
    backend,
    beam_search,
    clip_grad_norm,
    exact_search,
    functional,
    generate,
    grad,
    make_cell,
    no_grad,
    sampler,
    unroll,
)
from minirnn.artist import Artist
from minirnn.autograd.sequences import sum_by_id
from minirnn.cli.catalogue import functional_recipes, operation_recipes
from minirnn.cli.recipes import stream
from minirnn.data import SPECIALS
from minirnn.data.colours import Palette
from minirnn.data.histories import Talk
from minirnn.data.pictures import Preprocessing
from minirnn.data.sights import Pictures, Regions, Videos
from minirnn.data.strangers import Strangers, encode_conversation, with_placeholders
from minirnn.errors import DeviceError
from minirnn.fast import kernels
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.copying import CopyingDecoder
from minirnn.models.drawing import RasterModel
from minirnn.models.grid_drawing import DiagonalModel, RowModel
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.partner import Partner
from minirnn.reranking import Reranker
from minirnn.training import language_modeling
from minirnn.training.captioning import Captioned
from minirnn.training.chatting import Chatting
from minirnn.training.drawing import Captions, Classes, Drawing, Drawn


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """Device "gpu" is the double."""
    monkeypatch.setattr(backend, "gpu_library", lambda: device_double)
    monkeypatch.setattr(kernels, "_wanted", [False])
    device_double.syncs = 0


def test_the_double_refuses_what_cupy_refuses():
    device, host = device_double.asarray(np.ones(3)), np.ones(3)
    for mix in (
        lambda: device + host,
        lambda: host + device,
        lambda: np.add(device, host),
        lambda: device_double.where(device > 0, host, device),
        lambda: device.__setitem__(0, host[:1]),
        lambda: device[np.array([0])],
        lambda: np.asarray(device),
        lambda: np.concatenate([device, device]),
        lambda: device_double.concatenate([device, host]),
        lambda: device_double.tanh(host),
        lambda: [1.0, 2.0, 3.0] * device,
        lambda: device_double.asarray(np.array(["a"])),
        lambda: device.__setitem__(slice(0, 2), [1.0, 2.0]),
        lambda: device.sum(where=device > 0),
    ):
        with pytest.raises((TypeError, ValueError)):
            mix()
    with pytest.raises(AttributeError, match="no attribute 'nditer'"):
        _ = device_double.nditer
    for name in ("data", "ctypes", "flat", "__array_interface__"):
        assert not hasattr(device, name)
    for not_elementwise in (
        lambda a: a.reshape(1), lambda a: a @ a, lambda a: a[0], len, lambda a: device_double.concatenate([a, a]),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError):
            device_double.fuse(not_elementwise)(device)


def test_the_double_counts_waits():
    device = device_double.asarray(np.ones(3))
    total = device.sum()
    assert device_double.syncs == 0
    for wait in (
        device.get,
        total.item,
        lambda: float(total),
        lambda: bool(total > 0),
        lambda: device[device > 0],
        lambda: device[(device > 0,)],
        lambda: device.__setitem__(device > 0, 0.0),
        lambda: repr(device),
    ):
        before = device_double.syncs
        wait()
        assert device_double.syncs == before + 1


def on_device(inputs):
    return [Tensor(backend.to_device(x, "gpu"), requires_grad=True) for x in inputs]


def test_adding_by_row_and_by_id_runs_there_and_gives_the_same(rng):
    weights, ids = rng.standard_normal((3, 2, 4)), np.array([[0, 4, 0, 2], [1, 1, 1, 1]])
    rows, values = np.array([2, 0, 2, 2]), rng.standard_normal((4, 3))
    results = []
    for device in ("cpu", "gpu"):
        there = lambda array, device=device: backend.to_device(array, device)
        x, target = Tensor(there(weights), requires_grad=True), there(np.zeros((3, 3)))
        y = sum_by_id(x, there(ids), 5)
        (y * y).sum().backward()
        backend.add_rows(target, there(rows), there(values))
        assert backend.device_of(target) == backend.device_of(x.grad) == device
        assert device_double.syncs == 0
        results.append([backend.to_host(one) for one in (y.data, x.grad, target)])
        device_double.syncs = 0
        np.testing.assert_array_equal(backend.to_host(sum_by_id(x, ids, 5).data), results[-1][0])  # ids on the host
        device_double.syncs = 0
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-12)


RECIPES = [*operation_recipes(), *functional_recipes()]
CASES = [(name, *recipe(stream(0, name))) for name, recipe in RECIPES]


@pytest.mark.parametrize(("name", "function", "inputs"), CASES, ids=[name for name, _, _ in CASES])
def test_every_operation_runs_there_and_gives_the_same(name, function, inputs):
    results = []
    for tensors in ([Tensor(x, requires_grad=True) for x in inputs.values()], on_device(inputs.values())):
        outputs = function(*tensors)
        outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        gradients = [grad(y, tensors, y.data * 2) for y in outputs]
        results.append([y.data for y in outputs] + [g for gs in gradients for g in gs if g is not None])
    waits = device_double.syncs
    for host, device in zip(*results, strict=True):
        assert isinstance(device, device_double.DeviceArray)
        np.testing.assert_array_equal(host, device.get())
    assert (waits > 0) == (name == "getitem (mask)")  # a boolean index has a size that only the device knows


def test_a_tensor_moves_there_and_its_gradient_back(rng):
    x = Tensor(rng.standard_normal(3).astype(np.float32), requires_grad=True)
    there = x.to("gpu")
    y = (there * there).sum()
    assert there.device == y.device == "gpu"
    y.backward()
    assert isinstance(x.grad, np.ndarray)
    np.testing.assert_array_equal(x.grad, 2 * x.data)
    assert " ".join(repr(there).split()).endswith("], device='gpu', operation='to')")
    assert f"{y:.3f}" == f"{y.item():.3f}"
    assert there._repr_html_().count("<td>") == 3
    on_the_left = backend.to_device(np.ones(3, np.float32), "gpu") * there
    assert isinstance(on_the_left, Tensor)
    with pytest.raises(TypeError, match=r"write x\.exp"):
        np.exp(there)


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("lengths", [None, np.array([4, 2, 1])])
@pytest.mark.parametrize("reverse", [False, True])
def test_every_cell_runs_there_without_waiting(name, lengths, reverse):
    rng, cell = np.random.default_rng(0), make_cell(name)
    shapes = cell.weight_shapes(2, 3)
    arrays = [rng.standard_normal(s) for s in [(4, 3, 2), *shapes.values(), *[(3, 3)] * cell.num_states]]
    results = []
    for tensors in ([Tensor(a, requires_grad=True) for a in arrays], on_device(arrays)):
        weights = dict(zip(shapes, tensors[1:], strict=False))
        output, final = unroll(cell, tensors[0], weights, tensors[1 + len(shapes) :], lengths, reverse)
        loss = sum((s * s).sum() for s in final) + (output * output).sum()
        results.append([output.data, *grad(loss, tensors)])
    assert device_double.syncs == 0
    for host, device in zip(*results, strict=True):
        np.testing.assert_array_equal(host, device.get())


def assert_alike(host, device):
    """But for rounding: what ids that occur several times send back is summed in another order there."""
    host = np.asarray(host)
    rtol, atol = (1e-9, 1e-12) if host.dtype == np.float64 else (1e-4, 1e-6)
    np.testing.assert_allclose(device, host, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("embedding_size", [None, 5])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_training_a_language_model_there_gives_the_same(name, embedding_size, optimizer, rng):
    ids = rng.integers(0, 7, (2, 5, 3))
    weights = []
    for device in ("cpu", "gpu"):
        model = LanguageModel(7, 4, cell=name, num_layers=2, embedding_size=embedding_size, dropout=0.3, rng=1)
        model.to(device)
        steps = optimizer(model.named_parameters(), 0.1, weight_decay=0.01)
        device_double.syncs, state = 0, None
        for inputs, targets in (ids, ids):
            logits, state = model(inputs, minirnn.detach(state) if state is not None else None)
            model.zero_grad()
            functional.cross_entropy(logits, targets, ignore_index=6).backward()
            clip_grad_norm(model.parameters(), 0.5)
            steps.step()
        assert device_double.syncs == 0
        weights.append(model.state_dict())
    for key in weights[0]:
        assert_alike(weights[0][key], weights[1][key])


@pytest.mark.parametrize("embedding_size", [None, 5])
def test_training_with_an_adaptive_softmax_there_gives_the_same(embedding_size, rng):
    ids, weights = rng.integers(0, 30, (2, 5, 3)), []
    for device in ("cpu", "gpu"):
        model = LanguageModel(30, 8, embedding_size=embedding_size, softmax="adaptive", cutoffs=[5, 9, 29], rng=1)
        optimizer = Adam(model.to(device).named_parameters(), 0.1)
        device_double.syncs = 0
        for inputs, targets in (ids, ids[::-1]):
            loss, _ = model.loss(inputs, targets, ignore_index=6)
            model.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 0.5)
            optimizer.step()
        assert device_double.syncs == 0
        there = model.loss(ids[0], backend.to_device(ids[1], device), reduction="none")[0].data
        assert device_double.syncs == (device == "gpu")  # it must know which clusters they are in
        weights.append([backend.to_host(there), backend.to_host(model(ids[0])[0].data), *model.state_dict().values()])
    for host, device in zip(*weights, strict=True):
        assert_alike(host, device)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_long_text_is_read_in_strips_there_too(cell, rng, monkeypatch):
    for name, value in {"LONG": 100, "STRIPS": 4, "PIECE": 8}.items():
        monkeypatch.setattr(language_modeling, name, value)
    ids, found = rng.integers(0, 5, 207).astype(np.uint8), []
    for device in ("cpu", "gpu"):
        model = LanguageModel(5, 4, cell=cell, num_layers=2, rng=0).to(device).eval()
        with no_grad():
            found.append(language_modeling.nll_of(model, ids))
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_the_training_loop_waits_only_now_and_then(rng):
    corpus = rng.integers(0, 5, 400)
    model = LanguageModel(5, 4, cell="gru", rng=0).to("gpu")
    task = LanguageModeling(model, corpus, corpus[:2], batch_size=2, num_steps=10, rng=rng)
    trainer = Trainer(task, SGD(model.named_parameters(), 0.1), clip=1.0, check_every=5, progress=False)
    device_double.syncs = 0
    trainer.train(1)
    steps = trainer.place.step
    assert steps >= 18
    # A look at the losses every 5 steps and at the end of the epoch, and one at the validation.
    assert device_double.syncs <= steps // 5 + 2


def test_generation_works_there():
    texts = []
    for device in ("cpu", "gpu"):
        model = LanguageModel(6, 4, embedding_size=3, rng=0).eval().to(device)
        texts.append(generate(model.step, [1, 2], 8, sampler(np.random.default_rng(0)), batch=2))
    np.testing.assert_array_equal(*texts)


def translators(kind, cell, bridge, rng, **options):
    """The same model on the CPU and on the double, and sentences for it."""
    models = {device: build(kind, cell, layers=2, bridge=bridge, **options).to(device) for device in ("cpu", "gpu")}
    return models, sentences(rng, 4, 1, 3), sentences(rng, 2, 3, 1)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize(
    ("cell", "bridge"), [("gru", "learned"), ("lstm", "copy"), ("gru-after", "z0"), ("lstm", "zero")]
)
def test_training_a_translator_there_gives_the_same_without_waiting(kind, cell, bridge, rng):
    if kind == "handover":
        bridge = "learned"  # with the others it would never see the source
    models, (X, X_lengths), (Y, Y_lengths) = translators(
        kind, cell, bridge, rng, dropout=0.2, embedding_dropout=0.2, output_dropout=0.2
    )
    attends, results = models["cpu"].decoder.attends, []
    for model in models.values():
        task = Translation(
            model, ([X], [Y]), ([], []), batch_size=3, rng=np.random.default_rng(1), label_smoothing=0.1,
            teacher_forcing=lambda step: 1 - step / 4, attention_penalty=0.3 if attends else 0.0,
        )  # fmt: skip
        optimizer, losses = Adam(model.named_parameters(), 0.1, weight_decay=0.01), []
        device_double.syncs = 0
        for step in range(4):
            loss, _, _ = task.loss((X, X_lengths, Y, Y_lengths), None, step)
            model.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.data)
        assert device_double.syncs == 0
        results.append([*map(backend.to_host, losses), *model.state_dict().values(), *optimizer.state_dict().values()])
    for host, device in zip(*results, strict=True):
        assert_alike(host, device)


@pytest.mark.parametrize("kind", ["picture", "regions", "video"])
def test_learning_and_writing_captions_there_gives_the_same_without_waiting(kind, rng):
    def build_captioner():
        encoder = {
            "picture": lambda: PictureEncoder(8, 20, filters=2, rng=0, dtype=np.float64),
            "regions": lambda: RegionEncoder(4, 5, 20, rng=0, dtype=np.float64),
            "video": lambda: VideoEncoder(8, 5, 3, filters=2, rng=0, dtype=np.float64),
        }[kind]()
        options = {"attend": "after", "input_feeding": True, "rng": 0, "dtype": np.float64}
        return EncoderDecoder(
            encoder, AttentionDecoder(7, 3, 4, encoder.output_size, **options), rng=0, dtype=np.float64
        )

    look = Preprocessing(8, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    pixels = rng.integers(0, 256, (5, 3, 8, 8, 3)).astype(np.uint8)
    sights = {
        "picture": Pictures(pixels[:, 0], look),
        "regions": Regions(rng.standard_normal((5, 4, 5))),
        "video": Videos([one[: 1 + i % 3] for i, one in enumerate(pixels)], look),
    }[kind]
    captions = [[np.array([4 + i % 3, 5, 2]), np.array([4 + i % 3, 2])] for i in range(5)]
    outcomes = []
    for device in ("cpu", "gpu"):
        model = build_captioner()
        model.to(device)
        settings = {"batch_size": 3, "rng": np.random.default_rng(0), "attention_penalty": 0.1}
        task = Captioning(model, Captioned(sights, captions), Captioned(sights, captions), **settings)
        device_double.syncs = 0
        loss, *_ = task.loss(next(task.batches(np.random.default_rng(1))), None, 0)
        loss.backward()
        assert device_double.syncs == 0
        gradients = [backend.to_host(p.grad) for p in model.parameters()]
        model.eval()
        outcomes.append((backend.to_host(loss.data), gradients, task.greedy(sights)))
    (loss, gradients, written), (there, gradients_there, written_there) = outcomes
    np.testing.assert_allclose(there, loss, rtol=1e-12)
    for ours, theirs in zip(gradients, gradients_there, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)
    assert written == written_there


@pytest.mark.parametrize("told", ["classes", "captions"])
@pytest.mark.parametrize("kind", ["raster", "row", "diagonal"])
def test_learning_and_drawing_there_gives_the_same_without_waiting(kind, told, rng):
    options = {"rng": 0, "dtype": np.float64}
    pictures = rng.integers(0, 3, (5, 3, 4)).astype(np.uint8)
    of_all = Classes(np.arange(5) % 2)
    if told == "captions":
        of_all = Captions([[np.array([1, 3, 2][: 1 + i % 3])] for i in range(5)])
    outcomes = []
    for device in ("cpu", "gpu"):
        condition = ClassCondition(2, 4, **options) if told == "classes" else CaptionCondition(4, 3, 4, **options)
        shared = {"num_layers": 2, "dropout": 0.2, "condition": condition, **options}
        if kind == "raster":
            model = RasterModel(3, 4, 3, 4, order="diagonal", embedding_size=3, **shared)
        else:
            model = {"row": RowModel, "diagonal": DiagonalModel}[kind](3, 4, 3, 4, window=3, features=3, **shared)
        model.to(device)
        settings = {"batch_size": 3, "rng": np.random.default_rng(0)}
        task = Drawing(model, Drawn(pictures, of_all), Drawn(pictures, of_all), **settings)
        device_double.syncs = 0
        loss, *_ = task.loss(next(task.batches(np.random.default_rng(1))), None, 0)
        loss.backward()
        assert device_double.syncs == 0
        assert {p.grad.__class__ for p in model.parameters()} == {type(model.places.data)}
        gradients = [backend.to_host(p.grad) for p in model.parameters()]
        model.eval()
        colours, pen = model.drawn(pictures.astype(np.int64)), model.pen(5, of_all.batch(np.arange(5), None))
        with minirnn.no_grad():
            logits = [backend.to_host(pen(colours[t - 1] if t else None).data) for t in range(12)]
        artist = Artist(model, Palette(np.eye(3, dtype=np.uint8)))
        pixels = artist.draw(5, told=of_all, begun=pictures, keep=0.3, seed=0, stages=2)
        outcomes.append(([backend.to_host(loss.data), *gradients, *logits], pixels, task.validate()))
    (numbers, pixels, row), (numbers_there, pixels_there, row_there) = outcomes
    for ours, theirs in zip(numbers, numbers_there, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(pixels_there, pixels)
    assert row_there == pytest.approx(row)


@pytest.mark.parametrize("kind", ["attentive", "attentive matching copying", "hierarchical", "hierarchical matching",
                                  "flat", "flat copying"])  # fmt: skip
def test_learning_and_answering_there_gives_the_same_without_waiting(kind, rng):
    options, (reads, *parts) = {"cell": "lstm", "rng": 0, "dtype": np.float64}, kind.split()
    count, words = 2 if "copying" in parts else 0, ["a", "b", "c", "zebra", "gnu", "yak"]
    codec = with_placeholders(Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c"])), count)
    said = [[" ".join(rng.choice(words, 1 + i % 3)) for i in range(turns)] for turns in (4, 2, 5)]
    strangers = Strangers(7, count, 0.3) if count else None
    talk = Talk([encode_conversation(codec, count, turns) for turns in said], most_turns=3, strangers=strangers)
    outcomes = []
    for device in ("cpu", "gpu"):
        sizes = (7 + count, 3, 4)
        if reads == "flat":
            encoder = FlatEncoder(*sizes, dropout=0.2, **options)
        else:
            looks = {"words": reads == "attentive", "matching": "matching" in parts}
            encoder = HierarchicalEncoder(*sizes, 4, **looks, dropout=0.2, **options)
        fed = {} if reads == "hierarchical" else {"attend": "after", "input_feeding": True}
        made = CopyingDecoder if count else AttentionDecoder if fed else ContextDecoder
        decoder = made(*sizes, encoder.output_size, **fed, **options)
        model = EncoderDecoder(encoder, decoder, bridge="learned", rng=0, dtype=np.float64)
        model.to(device)
        task = Chatting(model, talk, talk, batch_size=5, rng=np.random.default_rng(0), max_length=6)
        device_double.syncs = 0
        loss, *_ = task.loss(next(task.batches(np.random.default_rng(1))), None, 0)
        loss.backward()
        assert device_double.syncs == 0
        gradients = [backend.to_host(p.grad) for p in model.parameters()]
        model.eval()
        numbers = [backend.to_host(loss.data), *gradients, *(task.nats(talk, h)[0] for h in ("true", "shuffled"))]
        partner, texts = Partner(model, codec, 3, 6, placeholders=count), []
        reranked = {"beam_size": 3, "reranker": Reranker(model, codec)}
        for search in ({}, {"beam_size": 3}, {"anti_lm": 0.5}, {"beam_size": 2, "anti_lm": 0.5}, reranked):
            for one in partner.answer(said, **search):
                texts.append(one.text)
                numbers += [np.array(one.log_prob), *([] if one.turns is None else [one.turns])]
        outcomes.append((numbers, texts, task.greedy(talk), task.validate()))
    (numbers, *written, row), (numbers_there, *written_there, row_there) = outcomes
    for ours, theirs in zip(numbers, numbers_there, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12)
    assert written_there == written
    assert row_there == pytest.approx(row)


@pytest.mark.parametrize("kind", DECODERS)
def test_searches_there_find_the_same(kind, rng):
    models, (X, lengths), (Y, _) = translators(kind, "lstm", "learned", rng)
    codec = Codec("space", "none", Vocabulary([*SPECIALS, "a", "b", "c"]))
    texts, references, found = ["a b c", "c", "", "b b a a"], [["a", "b"]] * 3, []
    for model in models.values():
        model.eval()
        attention = model.attention if hasattr(model.decoder, "attention") else None
        start, one = np.full(3, 1), model.start(X[:, :1], lengths[:1])
        beams = beam_search(
            model.step, model.start(X, lengths), start, beam_size=4, n_best=3, eos=EOS, max_length=5,
            attention=attention, source_lengths=lengths, coverage_penalty=0.1 if attention else 0.0,
        )  # fmt: skip
        translator, held_out = Translator(model, codec, codec), ([*X.T], [*Y.T])
        task = Translation(model, held_out, held_out, batch_size=2, rng=rng, references=references)
        found.append([
            beams,
            [None if h.attention is None else h.attention.tolist() for best in beams for h in best],
            exact_search(model.step, one, start[:1], eos=EOS, max_length=3),
            translator.translate(texts),
            translator.translate(texts, beam_size=3, n_best=2),
            task.validate(),
        ])  # fmt: skip
    assert repr(found[0]) == repr(found[1])
    assert device_double.syncs > 0


USES = {
    "lm": lambda writer: [writer.generate("the", 12, temperature=0), writer.perplexity("the quick brown")],
    "cloze": lambda filler: [filler.fill("the qu_ck").text],
    "translate": lambda translator: [translator.evaluate([("one cat", "un chat")]).perplexity],
    "classify": lambda classifier: [classifier.probabilities(["a w1", "b"])],
    "caption": lambda captioner: [captioner.caption(["pictures/0.png"])[0][0].text],
    "draw": lambda artist: [artist.draw(2, told="a red stripe", temperature=0)],
    "chat": lambda partner: [partner.answer([["hello"]])[0].text],
    "forecast": lambda forecaster: [forecaster.forecast(np.arange(9.0), 3, m) for m in ("linear", "mlp", "recurrent")],
}


@pytest.mark.parametrize("task", USES)
def test_a_run_is_loaded_there_and_does_the_same(task, small_runs, monkeypatch):
    monkeypatch.chdir(small_runs)
    there = minirnn.load(task, device="gpu")
    assert {backend.device_of(p.data) for p in there.model.parameters()} == {"gpu"}
    for found, expected in zip(USES[task](there), USES[task](minirnn.load(task)), strict=True):
        if isinstance(expected, str):
            assert found == expected
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert minirnn.load(task, there.model, device="cpu") is there.model
    assert {backend.device_of(p.data) for p in there.model.parameters()} == {"cpu"}


def test_layers_take_their_state_there_and_back():
    layer = Recurrent("lstm", 2, 3, 2, bidirectional=True, rng=0).to("gpu")
    x = Tensor(device_double.asarray(np.ones((3, 2, 2), np.float32)))
    output, state = layer(x, lengths=np.array([3, 1]))
    again, _ = layer(x, state)
    assert output.device == again.device == "gpu"
    saved = layer.state_dict()
    assert all(isinstance(array, np.ndarray) for array in saved.values())
    layer.load_state_dict(saved)
    assert {p.device for p in layer.parameters()} == {"gpu"}
    assert {p.device for p in layer.to("cpu").parameters()} == {"cpu"}


def test_a_timer_waits_at_both_ends():
    with backend.Timer("gpu"):
        pass
    assert device_double.syncs == 2


def test_no_gpu_is_said_plainly(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(InputError, match="unknown device 'tpu': expected 'cpu' or 'gpu'"):
        backend.library("tpu")
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match="cupy is not installed"):
        backend.library("gpu")
    blind = type(sys)("cupy")
    blind.is_available = lambda: False
    monkeypatch.setitem(sys.modules, "cupy", blind)
    with pytest.raises(DeviceError, match="no usable CUDA device"):
        backend.library("gpu")


def names_used():
    """Every NAME in `xp.NAME`, and in `array_module(…).NAME`, with its file."""
    for file in sorted(Path(minirnn.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                base = node.value
                called = isinstance(base, ast.Call) and getattr(base.func, "id", "") == "array_module"
                if called or (isinstance(base, ast.Name) and base.id == "xp"):
                    yield node.attr, f"{file.name}:{node.lineno}"


def test_every_array_function_used_exists_in_both_libraries():
    used = dict(names_used())
    assert len(used) > 15
    assert not {name: where for name, where in used.items() if not hasattr(np, name) and name != "fuse"}
    assert not {name: where for name, where in used.items() if name not in device_double.CUPY_NAMES}


def test_the_list_of_cupy_names_is_that_of_cupy():
    cupy = pytest.importorskip("cupy")
    assert {name for name, _ in names_used()} <= set(dir(cupy))


def test_only_the_backend_imports_cupy():
    importers = [
        file.name
        for file in Path(minirnn.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.startswith("cupy") for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cupy"))
    ]
    assert importers == ["backend.py"]
