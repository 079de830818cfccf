"""`minirnn.load` opens every kind of run, and does with it what the commands do."""

import json
import shutil

import numpy as np
import pytest
from commands import printed
from trainings import TRAININGS

import minirnn
from minirnn import InputError, Run, Writer, load
from minirnn.runs.loading import LOADERS, Trained

KINDS = {
    "lm": minirnn.Writer,
    "cloze": minirnn.BlankFiller,
    "translate": minirnn.Translator,
    "classify": minirnn.Classifier,
    "caption": minirnn.Captioner,
    "draw": minirnn.Artist,
    "chat": minirnn.Partner,
    "forecast": minirnn.Forecaster,
}


@pytest.fixture
def there(small_runs, monkeypatch):
    """The folder with the small runs, where the test works."""
    monkeypatch.chdir(small_runs)
    return small_runs


@pytest.fixture
def copied(small_runs, tmp_path, monkeypatch):
    """A folder of the test's own with the run of the language model."""
    shutil.copytree(small_runs / "lm", tmp_path / "lm")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lm"


def change_config(run, **changes):
    config = json.loads((run / "run.json").read_text(encoding="utf-8"))
    config = {name: value for name, value in {**config, **changes}.items() if value is not None}
    (run / "run.json").write_text(json.dumps(config), encoding="utf-8")


def refused(*arguments, **options):
    with pytest.raises(InputError) as error:
        load(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_all_kinds_of_runs_are_tried():
    assert {*KINDS, "task"} == {*TRAININGS, "task"} == set(LOADERS)
    assert set(Trained.__args__) == {*KINDS.values(), minirnn.Reranker}


@pytest.mark.parametrize("task", KINDS)
def test_every_kind_of_run_is_loaded_as_what_it_is(task, there):
    found = load(task)
    assert type(found) is type(load(there / task, KINDS[task])) is KINDS[task]
    assert not found.model.training
    parameters = f"{found.model.num_parameters():,} parameters"
    assert repr(found).startswith(f"{KINDS[task].__name__}(")
    assert repr(found).endswith(f"{parameters} in all)" if task == "forecast" else f" of {parameters})")
    (best, last), state = (Run(task).model_state(which) for which in ("best", "last")), found.model.state_dict()
    assert state.keys() == best.keys()
    assert all(np.array_equal(state[name], best[name]) and state[name].dtype == np.float32 for name in best)
    double = load(task, checkpoint="last", dtype="float64").model.state_dict()
    assert all(np.array_equal(double[name], last[name]) and double[name].dtype == np.float64 for name in last)


def test_a_language_model_writes_as_the_command_and_has_its_perplexity(there):
    writer = load("lm", Writer)
    said = printed("generate", "lm", "--prefix", "the fox", "--length", 30, "--seed", 3, "--temperature", 0.7)
    assert writer.generate("the fox", 30, temperature=0.7, seed=3) + "\n" == said
    assert writer.generate(length=5).startswith("the quick brown fox")
    assert writer.generate("the", 20, temperature=0) + "\n" == printed(
        "generate", "lm", "--prefix", "the", "--length", 20, "--greedy"
    )
    text = (there / "text.txt").read_text()
    found = writer.perplexity(text[-(len(text) // 10) :])
    assert f"perplexity on held-out text: {found:.3f} (best" in (there / "lm.txt").read_text()
    assert writer.perplexity("the fox ~") == writer.perplexity("the fox §")  # neither is in the vocabulary
    for text in ("", "a"):
        with pytest.raises(InputError, match="at least two tokens"):
            writer.perplexity(text)
    with pytest.raises(InputError, match="at least one token"):
        writer.generate("")


def test_a_translator_translates_and_is_measured_as_the_command_says(there):
    translator = load("translate")
    found = translator.translate(["one cat"], beam_size=3)[0][0]
    assert found.text + "\n" == printed("translate", "translate", "one cat", "--beam", 3, "--length-penalty", 0)
    pairs = [tuple(line.split("\t")) for line in (there / "pairs.tsv").read_text().splitlines()]
    measured = translator.evaluate(pairs)
    said = printed("evaluate", "translate", "--data", "pairs.tsv")
    assert f"BLEU          {measured.bleu.score:.2f}  (" in said
    assert f"exact match   {100 * measured.exact_match:.1f} %" in said
    assert f"perplexity    {measured.perplexity:.3f}  (" in said
    assert (len(translator.source.vocabulary), len(translator.target.vocabulary)) == (10, 10)


def test_a_run_of_a_generated_task_is_a_translator(there, tmp_path, monkeypatch):
    monkeypatch.setattr("minirnn.cli.corpora.VALID_QUESTIONS", 10)
    monkeypatch.setattr("minirnn.cli.corpora.TEST_QUESTIONS", 10)
    small = ("--examples", 60, "--hidden", 4, "--embedding", 3, "--epochs", 1, "--quiet", "--out", tmp_path / "task")
    printed("train", "task", *small)
    said = printed("translate", tmp_path / "task", "3 1 2")
    assert load(tmp_path / "task", minirnn.Translator).translate(["3 1 2"])[0][0].text + "\n" == said


def test_a_classifier_labels_as_the_command(there):
    texts = ["a w1", "b w2", ""]
    found = load("classify").classify(texts)
    lines = [
        f"{text}\t" + "  ".join(f"{label} {p:.3f}" for label, p in one.probabilities.items())
        for text, one in zip(texts, found, strict=True)
    ]
    assert "\n".join(lines) + "\n" == printed("classify", "classify", *texts)
    assert [one.label for one in found] == [max(one.probabilities, key=one.probabilities.get) for one in found]
    assert load("classify").classify([]) == []
    with pytest.raises(InputError, match="list of strings"):
        load("classify").classify("a w1")


def test_cloze_models_fill_blanks_as_the_command(there):
    found = load("cloze").fill("the qu_ck f_x", n_best=3)
    first, second, *_ = printed("cloze", "cloze", "the qu_ck f_x").splitlines()
    assert first == found.text
    assert len(found.blanks) == 2
    assert second.split("left   ")[1].split("  ") == [f"{token!r} {p:.3f}" for token, p in found.blanks[0]["left"]]


def test_a_captioner_captions_files_as_the_command(there):
    files = ["pictures/0.png", "pictures/3.png"]
    found = load("caption").caption(files, beam_size=2)
    said = printed("caption", "caption", *files, "--beam", 2, "--length-penalty", 0)
    assert said == "".join(f"{file}\t{best[0].text}\n" for file, best in zip(files, found, strict=True))
    with pytest.raises(InputError, match="a list of files"):
        load("caption").caption("pictures/0.png")


def test_an_artist_draws_what_it_is_told(there):
    artist = load("draw")
    several = artist.draw(2, told=["a red stripe on the left", "the right is blue"], seed=0)
    assert several.shape == (1, 2, 4, 4, 3)
    np.testing.assert_array_equal(artist.draw(2, told="a red", seed=0), artist.draw(2, told=["a red"] * 2, seed=0))
    with pytest.raises(InputError, match="2 pictures to draw"):
        artist.draw(2, told=["a red stripe"])


def test_a_partner_answers_as_the_command(there, tmp_path, monkeypatch):
    partner = load("chat")
    (there / "said.txt").write_text("i am ben .\n")
    with (there / "said.txt").open() as lines, monkeypatch.context() as patch:
        patch.setattr("sys.stdin", lines)
        said = printed("chat", "chat")
    assert (" ".join(partner.answer([["i am ben ."]])[0].text.split()) or "…") + "\n" == said


def test_a_backward_model_is_a_reranker(there, tmp_path):
    options = (*TRAININGS["chat"], "--epochs", 1, "--quiet")
    printed("train", "chat", *options, "--model", "backward", "--out", tmp_path / "backward")
    reranker = load(tmp_path / "backward")
    assert isinstance(reranker, minirnn.Reranker)
    assert repr(reranker).endswith(" parameters)")
    answers = load("chat", minirnn.Partner).answer([["i am ben ."]], beam_size=2, reranker=reranker)
    assert len(answers) == 1


def test_forecasts_are_in_the_units_of_the_series_and_err_as_the_command_says(there):
    forecaster = load("forecast")
    series = np.loadtxt(there / "series.txt")
    lines = (there / "forecast.txt").read_text().splitlines()
    for name, found in forecaster.ahead(series, 16).items():
        label = {"linear": "linear (baseline)", "mlp": "MLP (baseline)", "recurrent": "gru"}[name]
        said = next(line for line in lines if line.startswith(f"{label} ")).removeprefix(label).split()
        assert found.shape == (16, 60)
        follow = np.array([forecaster.forecast(series[:t], 16, model=name) for t in (20, 59)])
        for t, one in zip((20, 59), follow, strict=True):
            known = min(16, 60 - t)
            np.testing.assert_allclose(one[:known], [found[k, t + k] for k in range(known)], rtol=1e-5)
        # Errors of the last distances that the command printed: the furthest decides on which values.
        assert len(said) == 3
        furthest = forecaster.ahead(series, 24)[name]
        first = max(36, int(np.isnan(furthest[-1]).sum()))
        error = np.sqrt(((furthest[15, first:] - series[first:]) ** 2).mean())
        assert said[-1] == f"{error:.3f}"
    with pytest.raises(InputError, match=r"no model 'best': expected one of linear, mlp, recurrent"):
        forecaster.forecast(series, model="best")
    for bad, message in (
        ([[1.0]], r"shape \(time,\)"),
        (["a"], "of numbers"),
        ([1, np.nan], "value 2"),
        ([1], "has to"),
    ):
        with pytest.raises(InputError, match=message):
            forecaster.forecast(bad, model="mlp")


def test_a_forecasting_run_from_before_units_were_kept_reads_its_series_again(small_runs, tmp_path):
    new = load(small_runs / "forecast")
    shutil.copytree(small_runs / "forecast", tmp_path / "old")
    change_config(tmp_path / "old", mean=None, deviation=None)
    old = load(tmp_path / "old")
    assert (old.mean, old.deviation) == (new.mean, new.deviation)
    change_config(tmp_path / "old", options={**Run(tmp_path / "old").config["options"], "data": "gone.txt"})
    assert "gone.txt" in refused(tmp_path / "old")
    change_config(tmp_path / "old", mean="3", deviation=1.0)
    assert "run.json: damaged: the mean must be" in refused(tmp_path / "old")


def test_what_is_no_run_is_said(copied, tmp_path):
    assert refused("gone").endswith("gone is not a run directory: there is no such directory; there is lm")
    assert refused(".").endswith("there is no run.json in it; there is lm")
    (tmp_path / "empty").mkdir()
    assert refused("empty/x") == "empty/x is not a run directory: there is no such directory"
    assert "is a file, and a run is a directory" in refused("lm/best.safetensors")
    assert "best' or 'last'" in refused("lm", checkpoint="first")
    assert "lm is a run of `minirnn train lm`: a Writer, not a Translator" in refused("lm", minirnn.Translator)
    Run.create("own", {"task": "mine"})
    assert "own is a run of 'mine', which" in refused("own")
    Run.create("other", {})
    assert "other does not say what it is a run of" in refused("other")


def test_damage_is_said(copied):
    whole = (copied / "best.safetensors").read_bytes()
    (copied / "best.safetensors").write_bytes(whole[:-1])
    assert "best.safetensors: not a minirnn checkpoint, or damaged" in refused("lm")
    (copied / "best.safetensors").write_bytes(whole)
    change_config(copied, vocabulary=["a", 3])
    assert "run.json: damaged: " in refused("lm")
    (copied / "run.json").write_text("{")
    assert "run.json: damaged: " in refused("lm")


def test_a_run_without_a_trained_checkpoint_is_said(copied):
    (copied / "best.safetensors").unlink()
    assert "best.safetensors is missing" in refused("lm")
    arrays, meta = minirnn.load_checkpoint(copied / "last.safetensors")
    minirnn.save_checkpoint(copied / "last.safetensors", arrays, {**meta, "step": 0, "best": float("inf")})
    assert refused("lm") == "lm has not been trained yet: let its training run a little longer"
    (copied / "last.safetensors").unlink()
    assert "lm has no checkpoint yet" in refused("lm")


def test_runs_record_their_version_and_older_ones_load(copied):
    assert Run("lm").version == minirnn.__version__
    text = load("lm").generate(length=5, seed=0)
    change_config(copied, minirnn=None)
    assert Run("lm").version is None
    assert load("lm").generate(length=5, seed=0) == text
    printed("train", "lm", "--resume", "lm", "--epochs", 2, "--quiet", "--data", Run("lm").config["options"]["data"])


def test_a_run_of_a_later_version_says_so_where_it_cannot_be_read(copied):
    change_config(copied, minirnn="9.1.0")
    load("lm")
    later = r"(minirnn 9.1.0 made the run, and this is 0.1.0: update minirnn)"
    options = Run("lm").config["options"]
    for changes, what in (
        ({"options": {**options, "cell": "newest"}}, "cannot be read here: cell is 'newest'"),
        ({"options": {**options, "newest": 3}}, "cannot be read here: an option 'newest'"),
        ({"format": 2}, "expected format 1, found 2"),
    ):
        change_config(copied, **{"options": options, "format": 1, **changes})
        said = refused("lm")
        assert said.endswith(later)
        assert what in said
    change_config(copied, minirnn="0.0.9", options={**options, "cell": "newest"}, format=1)
    assert "damaged: cell is 'newest'" in refused("lm")


def test_a_gpu_that_is_not_there_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(minirnn.DeviceError):
        load("gone", device="gpu")


def test_a_chat_that_compared_turns_in_another_way_is_to_be_trained_anew(small_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_runs / "chat", "chat")
    assert Run("chat").config["options"]["matching"] in (None, "on")
    change_config(tmp_path / "chat", minirnn=None)
    assert "chat was trained when turns were compared in another way: train it anew" in refused("chat")
    options = Run("chat").config["options"]
    change_config(tmp_path / "chat", options={**options, "matching": "off"})
    assert "another way" not in refused("chat")  # its weights are of another shape now, which is said instead


@pytest.mark.parametrize(
    ("what", "end"),
    [
        ("last", "not 'last': write checkpoint='last'"), ("gpu", "not 'gpu': write device='gpu'"), (5, "not 5"),
        ("Writer", "not 'Writer'"), ([Writer], "not [<class 'minirnn.writer.Writer'>]"), (np.float64, None),
        (Writer | minirnn.Partner, None),
    ],
)  # fmt: skip
def test_what_the_second_argument_is_is_said(what, end, tmp_path):
    said = refused(tmp_path / "none", what)
    if end is None:  # a class, which a run might be of
        assert "is not a run directory" in said
    else:
        assert said.startswith("the second argument is a class, such as minirnn.Translator, or a model whose weights")
        assert said.endswith(f"are to be set, {end}")
