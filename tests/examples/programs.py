"""The programs in `examples/`, and mistakes that a user might make in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PROGRAMS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}


def promised(path):
    """What a program prints, as its docstring says: the lines after "Prints…:"; `...` stands for anything."""
    found = re.match(r'""".*?\nPrints[^\n]*:\n\n(.*?)"""\n', path.read_text(encoding="utf-8"), re.S)
    assert found, f"{path.name} does not say what it prints"
    lines = found[1].splitlines()
    assert all(not line or line.startswith("    ") for line in lines), f"{path.name}: the docstring must end with it"
    return "\n".join(line[4:] for line in lines).strip("\n") + "\n"


class Mistake(NamedTuple):
    """What stands in a program, what is written instead, and mypy's words for it."""

    program: str
    right: str
    wrong: str
    error: str


MISTAKES = [
    Mistake("beam_search_by_own_step", "beam_size=3", "beam_width=3", 'Unexpected keyword argument "beam_width"'),
    Mistake("beam_search_by_own_step", "exhaustive_search(step, ", "exhaustive_search(LOG_PROBS, ", "Argument 1"),
    Mistake("beam_search_by_own_step", "n_best=2, eos=eos, ", "n_best=2, ", 'Missing named argument "eos"'),
    Mistake("beam_search_by_own_step", "found[0].tokens", "found[0].words", 'has no attribute "words"'),
    Mistake("bleu_with_two_references", "smoothing='add-k'", "smoothing='add_k'", "Literal['add_k']"),
    Mistake("bleu_with_two_references", "exact_match(hypotheses, ", "exact_match(", 'argument "references"'),
    Mistake("character_language_model", "learning_rate=0.01", "lr=0.01", 'Unexpected keyword argument "lr"'),
    Mistake("character_language_model", ", num_steps=20", "", 'Missing positional argument "num_steps"'),
    Mistake("character_language_model", "temperature=0.5", 'temperature="low"', 'Argument "temperature"'),
    Mistake("character_language_model", "h, state = self.lstm(", "h, _, c = self.lstm(", "Need more than 2 values"),
    Mistake("gpu_or_cpu", 'model.to("gpu")', "model.to(0)", 'Argument 1 to "to"'),
    Mistake("gpu_or_cpu", "loss.device", "loss.devise", 'has no attribute "devise"'),
    Mistake("gpu_or_cpu", "mse_loss(model(x), ", 'mse_loss(model(x), reduction="avg", targets=', "Literal['avg']"),
    Mistake("gradcheck_of_own_function", "gradcheck(cube, x)", "gradcheck(cube)", 'argument "inputs"'),
    Mistake("gradcheck_of_own_function", "[x])", "[x], tolerence=1)", 'did you mean "tolerance"?'),
    Mistake("gradcheck_of_own_function", "-beta * x", '"beta" * x', "Unsupported operand types"),
    Mistake("printing_things", "bidirectional=True, rng", "bidirectionl=True, rng", 'did you mean "bidirectional"?'),
    Mistake("printing_things", "Adam(tagger.parameters(), ", "Adam(tagger, ", 'Argument 1 to "Adam"'),
    Mistake("printing_things", "Linear(32, 16, ", "Linear(32, ", 'Missing positional argument "out_features"'),
    Mistake("printing_things", "(x * 2).sum()", "tagger.head(x).summ()", '"Tensor" has no attribute "summ"'),
    Mistake("printing_things", "(x * 2).sum()", "tagger.head(tagger).sum()", 'Argument 1 to "__call__" of "Module"'),
    Mistake("save_and_load", 'load(folder / "model.safetensors", Model())', "load(Model())", "No overload variant"),
    Mistake("save_and_load", "classifier.classify([", "classifier.clasify([", 'has no attribute "clasify"'),
    Mistake("sequences_with_lengths", "lengths=lengths", "lenghts=lengths", 'did you mean "lengths"?'),
    Mistake("sequences_with_lengths", "self.output(h[-1])", "self.output(h[-1], lengths)", "Too many arguments"),
    Mistake("sequences_with_lengths", "model(ids, lengths)", "model(ids)", 'argument "lengths"'),
    Mistake("sequences_with_lengths", "logits.argmax(axis=-1)", "logits.argmax(dim=-1)", 'keyword argument "dim"'),
    Mistake("two_lstms_with_attention", "self.reader(self.embedding(source))", "self.reader(source)", "Argument 1"),
    Mistake("two_lstms_with_attention", "num_parameters()", "num_params()", 'has no attribute "num_params"'),
    Mistake("two_lstms_with_attention", "(inputs), state)", "(inputs), read)", "Argument 2"),
    Mistake("weights_from_torch", "ours.load_torch(theirs.state_dict())", "ours.load_torch()", "state_dict"),
    Mistake("weights_from_torch", "num_layers=2, ", 'num_layers="2", ', 'Argument "num_layers"'),
]
