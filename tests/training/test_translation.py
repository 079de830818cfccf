"""Codecs, schedules, the translation task, and the translator."""

import itertools
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
import sacrebleu

from minirnn import (
    Adam,
    AttentionDecoder,
    Codec,
    ContextDecoder,
    EncoderDecoder,
    InputError,
    NonFiniteLossError,
    RecurrentEncoder,
    Run,
    Trainer,
    Translation,
    Translator,
    Vocabulary,
    corpus_bleu,
    cross_entropy,
    gnmt_penalty,
    greedy,
    load_checkpoint,
    power_penalty,
    sampler,
)
from minirnn.cli.train.translate import _show as show_translations
from minirnn.data import SPECIALS, pad
from minirnn.data.parallel import Pair
from minirnn.training import schedules
from minirnn.training.schedules import FORCING, constant_forcing, plateau, product, step_decay, warmup
from minirnn.training.sentences import shift_right

TEXTS = ["Le chat noir dort.", "L'enfant est petit !", "Est-ce que le chat dort ?", "Il dort : le chat."] * 5


@pytest.mark.parametrize("tokens", ["word", "char", "space", "bpe"])
def test_codecs_go_there_and_back_also_through_json(tokens):
    codec = Codec.build(TEXTS, tokens, "none", max_vocabulary=60)
    again = Codec.from_json(codec.to_json())
    for text in TEXTS:
        ids = codec.encode(text)
        assert ids[-1] == 2
        assert codec.decode(ids) == again.decode(ids) == text
        np.testing.assert_array_equal(ids, again.encode(text))
        assert codec.words(ids) == codec.reference(text)
    assert codec.encode("").tolist() == [2]
    assert codec.decode([1, *codec.encode(TEXTS[0]), 0, 0]) == TEXTS[0]


def test_what_a_codec_does_not_know_is_unknown():
    codec = Codec.build(["a b", "a c"], "space", "lower", min_frequency=2)
    assert codec.vocabulary.tokens == [*SPECIALS, "a"]
    assert codec.encode("A <eos> b").tolist() == [4, 3, 3, 2]
    assert codec.decode([4, 3, 2]) == "a <unk>"
    assert codec.reference("A b") == ["a", "b"]
    assert len(Codec.build(TEXTS, "word", max_vocabulary=3).vocabulary) == 7
    assert codec.encode("a a a a", max_length=3).tolist() == [4, 4, 2]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ({"vocabulary": ["a", "b"]}, "begins with"),
        ({"vocabulary": [*SPECIALS, "a", "a"]}, "twice"),
        ({"vocabulary": "abc"}, "list of strings"),
        ({"vocabulary": [*SPECIALS, 7]}, "list of strings"),
        ({"tokens": "morse"}, "unknown tokens"),
        ({"tokens": "bpe"}, "subwords go with"),
        ({"subwords": "AAAA"}, "damaged"),
        ({"spaced": "]"}, "unknown punctuation"),
    ],
)
def test_a_damaged_codec_is_refused(damage, error):
    config = Codec.build(TEXTS, "word").to_json()
    with pytest.raises((InputError, TypeError, ValueError), match=error):
        Codec.from_json(config | damage)


def at(step=0, epoch=0):
    return SimpleNamespace(step=step, epoch=epoch)


def test_learning_rate_schedules():
    rise = warmup(4)
    assert [rise(at(step), []) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    fall = step_decay(2, 0.1)
    assert [fall(at(epoch=epoch), []) for epoch in range(5)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    rows = [{"train_loss": 9, "valid_loss": loss, "valid_bleu": bleu} for loss, bleu in
            [(3, 1), (2, 2), (2, 3), (2.5, 2), (1, 2), (1, 2), (1, 2)]]  # fmt: skip
    halve = plateau(0.5, 2)
    assert [halve(at(), rows[:n]) for n in range(8)] == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    by_bleu = plateau(0.5, 2, "valid_bleu")
    assert [by_bleu(at(), rows[:n]) for n in range(8)] == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25]
    assert product([rise, fall, halve])(at(0, 2), rows) == pytest.approx(0.25 * 0.1 * 0.25)
    assert schedules.waited(rows, "valid_loss") == 2
    assert schedules.waited(rows, "valid_bleu") == 4
    assert schedules.waited([], "valid_bleu") == 0


def test_teacher_forcing_falls_as_in_the_paper():
    linear, exponential, inverse = (FORCING[name](1000) for name in ("linear", "exponential", "inverse-sigmoid"))
    assert [linear(i) for i in (0, 250, 1000, 5000)] == [1, 0.75, 0, 0]
    assert [exponential(i) for i in (0, 1000, 2000)] == pytest.approx([1, math.exp(-1), math.exp(-2)])
    assert inverse(1000) == pytest.approx(0.5)
    assert inverse(0) > 0.99
    assert inverse(10**9) == pytest.approx(0, abs=1e-12)
    for fall in (linear, exponential, inverse):
        ratios = [fall(i) for i in range(0, 5000, 50)]
        assert all(a >= b for a, b in itertools.pairwise(ratios))
    assert FORCING["linear"](1000, 0.4)(900) == 0.4
    for wrong in (lambda: constant_forcing(1.5), lambda: FORCING["linear"](0), lambda: warmup(0),
                  lambda: step_decay(1, 1.0), lambda: plateau(0.5, 0)):  # fmt: skip
        with pytest.raises(InputError):
            wrong()


V = 9


def reverse_task(rng, pairs=64, decoder=AttentionDecoder, dropout=0.0, **options):
    """Write the source backwards: small, and only attention learns it quickly."""
    model_rng = np.random.default_rng(1)
    common = {"rng": model_rng, "embedding_dropout": dropout}
    encoder = RecurrentEncoder(V, 8, 16, bidirectional=True, **common)
    model = EncoderDecoder(encoder, decoder(V, 8, 32, 32, **common), rng=model_rng)
    sources = [np.append(rng.integers(4, V, rng.integers(1, 5)), 2) for _ in range(pairs)]
    targets = [np.append(source[-2::-1], 2) for source in sources]
    valid = (sources[:8], targets[:8])
    references = [[str(i) for i in target[:-1]] for target in valid[1]]
    return Translation(model, (sources, targets), valid, batch_size=16, rng=model_rng, references=references, **options)


def test_it_learns_and_its_validation_is_that_of_sacrebleu(rng):
    task = reverse_task(rng)
    trainer = Trainer(task, Adam(task.model.named_parameters(), 0.01), clip=1.0, progress=False)
    history = trainer.train(25)
    assert history[-1]["valid_bleu"] > 90 > 50 > history[0]["valid_bleu"]
    greedy = [" ".join(map(str, ids)) for ids in task.greedy()]
    expected = sacrebleu.corpus_bleu(
        greedy, [[" ".join(r) for r in task.references]], tokenize="none", force=True
    ).score
    assert history[-1]["valid_bleu"] == pytest.approx(expected, abs=1e-9)
    (X, xl), (Y, yl) = (pad(side) for side in task.valid_pairs)
    logits = task.model.decoder.logits(task.model(X, xl, shift_right(Y)).features)
    total = cross_entropy(logits, np.where(np.arange(len(Y))[:, None] < yl, Y, 0), ignore_index=0, reduction="sum")
    assert history[-1]["valid_loss"] == pytest.approx(total.item() / yl.sum(), rel=1e-5)


def test_a_model_without_probabilities_stops_training_by_name(rng):
    task = reverse_task(rng)
    honest = task.validate

    def validate():
        task.model.decoder.output.bias.data[:] = np.nan
        return honest()

    task.validate = validate
    with pytest.raises(NonFiniteLossError, match="the loss on held-out data became nan"):
        Trainer(task, Adam(task.model.named_parameters()), progress=False).train(1)


def sampling_trainer(run, patience=None, monitor="valid_bleu", save_every=0.0):
    rng = np.random.default_rng(3)
    task = reverse_task(
        rng, dropout=0.2, label_smoothing=0.1, attention_penalty=0.01, teacher_forcing=FORCING["linear"](20)
    )
    return Trainer(
        task, Adam(task.model.named_parameters(), 0.01), run, seed=2, clip=1.0, save_every=save_every, check_every=1,
        schedule=product([warmup(6), plateau(0.5, 1, monitor)]), monitor=monitor, patience=patience, progress=False,
    )  # fmt: skip


@pytest.mark.parametrize("killed_at", [1, 5, 8, 14, 19])
def test_scheduled_sampling_and_schedules_resume_to_the_bit(killed_at, tmp_path):
    whole = sampling_trainer(Run.create(tmp_path / "whole", {}))
    whole.train(5)
    broken = sampling_trainer(Run.create(tmp_path / "broken", {}))
    honest, count = broken.task.loss, itertools.count()

    def loss(batch, carry, step):
        if next(count) == killed_at:
            raise KeyboardInterrupt
        return honest(batch, carry, step)

    broken.task.loss = loss
    with pytest.raises(KeyboardInterrupt):
        broken.train(5)
    again = sampling_trainer(Run(tmp_path / "broken"))
    again.resume()
    again.train(5)
    for a, b in zip(whole.task.model.parameters(), again.task.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    speed = {"tokens_per_second"}
    assert [{k: v for k, v in row.items() if k not in speed} for row in whole.history] == [
        {k: v for k, v in row.items() if k not in speed} for row in again.history
    ]
    assert "train_perplexity" not in whole.history[0]  # the smoothed loss is no likelihood
    assert len({row["learning_rate"] for row in whole.history}) > 1


@pytest.mark.parametrize("save_every", [0.0, 1e6])
def test_training_stops_early_and_keeps_the_best(save_every, tmp_path, monkeypatch):
    scores = iter([10.0, 30.0, 20.0, 30.0, 25.0, 99.0])
    trainer = sampling_trainer(Run.create(tmp_path / "r", {}), patience=3, save_every=save_every)
    honest = trainer.task.validate
    monkeypatch.setattr(trainer.task, "validate", lambda: honest() | {"valid_bleu": next(scores)})
    history = trainer.train(10)
    assert [row["valid_bleu"] for row in history] == [10, 30, 20, 30, 25]
    assert trainer.stopped_early()
    assert load_checkpoint(trainer.run.best)[1]["valid_bleu"] == 30
    assert load_checkpoint(trainer.run.best)[1]["epoch"] == 2
    again = sampling_trainer(Run(tmp_path / "r"), patience=3)
    again.resume()
    assert again.train(10) == history  # nothing more is done
    by_loss = sampling_trainer(None, patience=1, monitor="valid_loss")
    monkeypatch.setattr(by_loss.task, "validate", lambda: {"valid_loss": next(iter([1.0]))})
    assert len(by_loss.train(10)) == 2


@pytest.fixture(scope="module")
def translator():
    """Words of nonsense, read and written backwards."""
    task = reverse_task(np.random.default_rng(0), pairs=256)
    Trainer(task, Adam(task.model.named_parameters(), 0.01), clip=1.0, progress=False).train(14)
    codec = Codec("space", "lower", Vocabulary([*SPECIALS, *"abcde"]))
    return Translator(task.model, codec, codec)


def test_the_translator_translates(translator):
    for options in ({}, {"beam_size": 4}, {"beam_size": 4, "length_penalty": gnmt_penalty(1.0)}, {"exact": True}):
        found = translator.translate(["a b c", "", "D e", "d"], **options)
        assert [best[0].text for best in found] == ["c b a", "", "e d", "d"]
    assert found[0][0].proven
    np.testing.assert_allclose(found[0][0].attention.sum(1), 1, rtol=1e-5)
    for wrong in ({"exact": True, "n_best": 2}, {"exact": True, "choose": greedy}, {"choose": greedy, "n_best": 2}):
        with pytest.raises(InputError):
            translator.translate(["a"], beam_size=2, **wrong)
    (best,) = translator.translate(["a b c d"], beam_size=5, n_best=3, coverage_penalty=0.1)
    assert len(best) == 3
    assert best[0].score >= best[1].score >= best[2].score
    assert best[0].source == ["a", "b", "c", "d", "<eos>"]
    assert best[0].target == ["d", "c", "b", "a", "<eos>"]
    assert best[0].attention.shape == (5, 5)
    np.testing.assert_allclose(best[0].attention.sum(1), 1, rtol=1e-5)
    (drawn,) = translator.translate(["a b c d"], choose=sampler(np.random.default_rng(0), temperature=5.0))
    assert drawn[0].text != "d c b a"
    assert translator.translate([]) == []
    assert corpus_bleu([drawn[0].words], [["d", "c", "b", "a"]]) < 100


@pytest.mark.parametrize("sentences", [[], ["a b"], [""]])
def test_the_translator_checks_its_arguments_whatever_the_sentences(translator, sentences):
    assert len(translator.translate(sentences, beam_size=np.int64(3), n_best=np.int64(2))) == len(sentences)
    for wrong, message in (
        ({"n_best": 3}, "n_best must be at most beam_size, not n_best 3 and beam_size 1"),
        ({"n_best": 3, "beam_size": 2}, "n_best must be at most beam_size, not n_best 3 and beam_size 2"),
        ({"n_best": 0}, "n_best must be an integer of at least 1, not 0"),
        ({"n_best": 0, "exact": True}, "n_best must be an integer of at least 1, not 0"),
        ({"n_best": 0, "choose": greedy}, "n_best must be an integer of at least 1, not 0"),
        ({"n_best": 2, "beam_size": 2, "exact": True}, "leave out n_best"),
        ({"n_best": 2, "beam_size": 2, "choose": greedy}, "leave out n_best"),
        ({"beam_size": 0}, "beam_size must be an integer of at least 1, not 0"),
        ({"beam_size": 0, "exact": True}, "beam_size must be an integer of at least 1, not 0"),
        ({"beam_size": 2.0}, "beam_size must be an integer of at least 1, not 2.0"),
        ({"beam_size": 2, "choose": greedy}, "leave out choose, or beam_size and coverage_penalty"),
        ({"coverage_penalty": 0.1, "choose": greedy}, "leave out choose, or beam_size and coverage_penalty"),
        ({"exact": True, "choose": greedy}, "leave out exact or choose"),
        ({"coverage_penalty": -0.1}, "the coverage penalty must be a finite number of at least 0"),
        ({"coverage_penalty": math.nan}, "the coverage penalty must be a finite number of at least 0"),
        ({"length_penalty": 0.7}, "length_penalty must be a function"),
        ({"length_penalty": power_penalty(200.0)}, "more than a number holds"),
        ({"max_steps": 0}, "max_steps must be an integer of at least 1, not 0"),
    ):
        with pytest.raises(InputError, match=message):
            translator.translate(sentences, **wrong)


def test_sentences_are_a_list(translator):
    assert [best[0].text for best in translator.translate(("a b",))] == ["b a"]
    assert [best[0].text for best in translator.translate(iter(["a b"]))] == ["b a"]
    with pytest.raises(InputError, match=r"sentences must be a list of strings, not one string: write \['a b'\]"):
        translator.translate("a b")
    for wrong in (["a b", ["a", "b"]], [None], [b"a b"]):
        with pytest.raises(InputError, match="sentences must be strings, not "):
            translator.translate(wrong)


def test_translation_does_not_depend_on_the_company(translator):
    sentences = ["a", "b c d e a b", "zzz <pad> <bos>", "c c", "d"] * 30
    together = translator.translate(sentences, beam_size=3)
    for k in (0, 1, 2, 3, 149):
        assert translator.translate([sentences[k]], beam_size=3)[0][0].text == together[k][0].text


def test_forbidden_tokens_are_never_written(translator):
    rng = np.random.default_rng(0)
    wild = sampler(rng, temperature=50.0)
    texts = [best[0].target for best in translator.translate(["zz zz"] * 50, choose=wild, allow_unknown=False)]
    assert not {t for text in texts for t in text} & {"<pad>", "<bos>", "<unk>"}
    some = [best[0].target for best in translator.translate(["zz zz"] * 50, choose=wild)]
    assert "<unk>" in {t for text in some for t in text}


def test_a_penalty_without_attention_is_refused(translator, rng):
    task = reverse_task(rng, decoder=ContextDecoder)
    plain = Translator(task.model, translator.source, translator.target)
    assert plain.translate(["a b"], beam_size=2)[0][0].attention is None
    with pytest.raises(InputError, match="needs a model with attention"):
        plain.translate(["a"], beam_size=2, coverage_penalty=1.0)
    with pytest.raises(InputError, match="needs a decoder with attention"):
        reverse_task(rng, decoder=ContextDecoder, attention_penalty=1.0)
    with pytest.raises(InputError, match="no pairs"):
        reverse_task(rng, pairs=0)


def test_an_endless_sentence_is_cut(translator):
    (best,) = translator.translate(["a " * 5000])
    assert len(best[0].source) == 500


@pytest.mark.parametrize("count", [1, 4, 7, 10, 23])
def test_no_translation_is_shown_twice(count, monkeypatch, tmp_path, capsys):
    pairs = [Pair(f"word{i}", f"mot{i}") for i in range(count)]
    translator = SimpleNamespace(
        translate=lambda sources, **how: [[SimpleNamespace(text=one, attention=None)] for one in sources]
    )
    show_translations(SimpleNamespace(path=tmp_path), translator, pairs)
    shown = re.findall(r"source +(\w+)", capsys.readouterr().out)
    assert len(shown) == len(set(shown)) == min(10, count)
    assert shown[0] == "word0"
