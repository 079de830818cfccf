"""Deliberate mistakes: each is planted in the real source, and a check must catch it.

A mistake is a replacement in the source of one function. It is compiled in the module of the function and its code put in the
place of the original's, so that everything that uses the function uses the mistake, until the end of the test.
"""

import inspect
import sys
import textwrap
from contextlib import contextmanager
from types import CodeType

import numpy as np
import pytest
import test_copying as copying_tests
import test_drawing as drawing_tests
import test_history_encoders as history_tests
import test_parallel_batch as parallel_tests
import test_regularisation as regularisation_tests
import test_reranking as reranking_tests
import test_translation_models as translation_tests
from reference_cells import unroll_reference
from translation_cases import build, outcome, sentences

from minirnn import (
    CELL_NAMES,
    GradcheckError,
    Tensor,
    backend,
    functional,
    grad,
    gradcheck,
    make_cell,
    ops,
    reranking,
    rescore,
    unroll,
)
from minirnn.autograd import (
    activations,
    elementwise,
    pending,
    recording,
    reductions,
    sequences,
    shapes,
    tape,
)
from minirnn.autograd import einsum as einsum_module
from minirnn.cells import bptt, gru, layer_norm, lstm, lstm_variants, neighbours, padding, rnn, rnn_activations, stepper
from minirnn.cli import catalogue
from minirnn.cli.catalogue import all_cases
from minirnn.decoding import beam, hypotheses
from minirnn.fast import diagonals, in_place, slices, walk
from minirnn.layers import attention, basic
from minirnn.models import copying, decoders, encoders, grid_drawing, history_encoders, seq2seq
from minirnn.training import clipping, optimizers, translation
from minirnn.training.sentences import shift_right


@contextmanager
def mistake(function, right, wrong):
    """Run a block with `right` replaced by `wrong` in the source of `function`."""
    function = inspect.unwrap(function)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times in {function.__qualname__}"
    source = source[source.index("def ") :].replace(right, wrong)
    compiled = compile(source, "a deliberate mistake", "exec", flags=_annotations())
    (code,) = [c for c in compiled.co_consts if isinstance(c, CodeType) and c.co_name == function.__name__]
    original = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = original


def _annotations():
    import __future__

    return __future__.annotations.compiler_flag


def gradients_are_right(*prefixes):
    """The catalogue of `minirnn gradcheck`, where the name begins so."""
    for prefix in prefixes:
        for _, function, inputs in all_cases(seed=1, pattern=prefix + "*"):
            gradcheck(function, inputs)


def walked_plainly(check, *arguments):
    """The check, with `bptt.unroll` and the plain cells in the place of what is faster."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (catalogue, sys.modules[__name__]):
            patch.setattr(module, "unroll", bptt.unroll)
        check(*arguments)


def twins_agree(name):
    """Values and gradients of the hand-written cell equal those of the composed one, with lengths, in both directions."""
    rng, cell = np.random.default_rng(0), make_cell(name)
    random = lambda *shape: Tensor(rng.standard_normal(shape), requires_grad=True)
    weights = {key: random(*shape) for key, shape in cell.weight_shapes(2, 3).items()}
    x, state = random(4, 3, 2), tuple(random(3, 3) for _ in range(cell.num_states))
    inputs = [x, *weights.values(), *state]
    for reverse in (False, True):
        results = []
        for run in (lambda *a: unroll(cell, *a), lambda *a: unroll_reference(name, *a)):
            output, final = run(x, weights, state, np.array([4, 1, 3]), reverse)
            loss = sum((y * y * y).sum() for y in (output, *final))
            results.append([output.data, *(s.data for s in final), *grad(loss, inputs)])
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def padding_changes_nothing(kind):
    """Loss and gradients of a batch with and without further padding, and the loss against the definition."""
    model, rng = build(kind), np.random.default_rng(0)
    (X, xl), (Y, yl) = sentences(rng, 3, 1, width=5), sentences(rng, 2, 3, width=4)
    wide, narrow = outcome(model, X, xl, Y, yl), outcome(model, X[:3], xl, Y[:3], yl)
    np.testing.assert_allclose(wide[0].item(), narrow[0].item(), rtol=1e-12)
    for a, b in zip(wide[1], narrow[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    decoded = model(X, xl, shift_right(Y))
    losses = functional.cross_entropy(model.decoder.logits(decoded.features), Y, reduction="none").data
    expected = sum(losses[:n, b].sum() for b, n in enumerate(yl))
    task = translation.Translation(model, ([X], [Y]), ([], []), batch_size=1, rng=rng)
    found = task.loss((X, xl, Y, yl), None, 0)[0].item() * yl.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def hypotheses_keep_their_state(kind):
    translation_tests.test_all_of_the_state_follows_its_hypothesis(kind, np.random.default_rng(0))


def selected_rows_go_on():
    translation_tests.test_selected_rows_go_on_as_they_would_have(
        "attention additive", [0, 0, 1], np.random.default_rng(0)
    )


def states_are_copied():
    translation_tests.test_a_copied_state_is_both_directions_side_by_side(np.random.default_rng(0))


def bridges_are_learned():
    translation_tests.test_a_learned_bridge_goes_from_the_top_layer_to_every_layer(np.random.default_rng(0))


def own_tokens_are_fed():
    translation_tests.test_the_decoders_own_tokens_are_fed_where_the_coin_says(np.random.default_rng(0))


def validation_is_the_plain_loss():
    """Of each token of the target, <eos> among them and padding not, whatever is trained for."""
    model, rng = build("attention additive"), np.random.default_rng(0)
    pairs = [rng.integers(4, 7, n) for n in (3, 1, 2)], [np.append(rng.integers(4, 7, n), 2) for n in (0, 3, 1)]
    task = translation.Translation(
        model, pairs, pairs, batch_size=3, rng=rng, label_smoothing=0.3, attention_penalty=1.0
    )
    nll = sum(-rescore(model.step, model.start(x[:, None], [len(x)]), 1, y) for x, y in zip(*pairs, strict=True))
    np.testing.assert_allclose(task.validate()["valid_loss"], nll / 7, rtol=1e-12)


def second_backward_adds():
    x = Tensor(np.ones(2), requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    loss.backward()
    np.testing.assert_array_equal(x.grad, [4, 4])


def adam_first_step_has_the_length_of_the_learning_rate():
    from minirnn import Adam, Parameter

    p = Parameter(np.zeros(2))
    p.grad = np.array([1e-3, -7.0])
    Adam({"p": p}, 0.1).step()
    np.testing.assert_allclose(p.data, [-0.1, 0.1], rtol=1e-4)


def frozen_parameters_stay():
    from minirnn import SGD, Parameter, clip_grad_norm

    free, frozen = Parameter(np.zeros(1)), Parameter(np.zeros(1))
    free.grad, frozen.grad, frozen.requires_grad = np.ones(1), np.ones(1), False
    assert float(clip_grad_norm([free, frozen], 2.0)) == 1
    SGD([free, frozen], 0.5).step()
    assert (free.data, frozen.data) == (-0.5, 0)


def clipping_gives_the_norm():
    from minirnn import Parameter, clip_grad_norm

    parameters = [Parameter(np.zeros(1)), Parameter(np.zeros(1))]
    parameters[0].grad, parameters[1].grad = np.array([3.0]), np.array([4.0])
    clip_grad_norm(parameters, 1.0)
    np.testing.assert_allclose([p.grad[0] for p in parameters], [0.6, 0.8])


CELLS = lambda: walked_plainly(gradients_are_right, "cell lstm (")  # of mistakes that every cell would show
RNNS, GRUS = (lambda prefix=prefix: walked_plainly(gradients_are_right, prefix) for prefix in ("cell rnn", "cell gru"))
LSTMS = lambda: walked_plainly(gradients_are_right, "cell lstm (")
PEEPHOLES = lambda: walked_plainly(gradients_are_right, "cell lstm-peephole (")
NORMALISED = lambda: walked_plainly(gradients_are_right, "cell lstm-layer-norm", "cell gru-layer-norm")
TWINS = lambda name: lambda: walked_plainly(twins_agree, name)
FASTER = lambda name: (
    lambda: parallel_tests.test_walked_in_parts_and_chunks_a_batch_gives_the_same_as_plainly(name, False, False)
)
LSTM, GRU, GRU_AFTER = lstm.LSTMCell, gru.GRUCell, gru.GRUResetAfterCell
VARIANT = lstm_variants.LSTMVariantCell
FORWARD, BACKWARD = bptt.forward_through_time, bptt.backward_through_time
FAST_LSTM, FAST_GRU, FAST_GRU_AFTER = in_place.InPlaceLSTM, in_place.InPlaceGRU, in_place.InPlaceGRUResetAfter

# name: (function, what stands there, the mistake, the check that must catch it)
MISTAKES = {
    # time
    "dh_from_future dropped": (BACKWARD, "dh = dh_from_above + dh_from_future", "dh = dh_from_above", CELLS),
    "dh_from_above dropped": (BACKWARD, "dh = dh_from_above + dh_from_future", "dh = dh_from_future", CELLS),
    "gradient of the final state dropped": (BACKWARD, "zero if d is None else d.T", "zero", CELLS),
    "gradient of padding kept": (BACKWARD, "mask.zeroed_columns(da)", "da", CELLS),
    "padding of one step zeroed in all": (
        padding.PaddingMask.zeroed_columns, "self.real_columns.transpose(1, 0, 2)", "self.real_columns[-1]", CELLS,
    ),
    "steps kept in the wrong order": (FORWARD, "kept.append(step_kept)", "kept.insert(0, step_kept)", CELLS),
    "padded step passes the cell's gradient": (
        BACKWARD, "mask.choose(t, d_prev, (dh, *d_memory))", "d_prev", CELLS,
    ),
    "h_{t} instead of h_{t-1} for dU": (bptt.sums_over_time, "trace.hs[:-1]", "trace.hs[1:]", CELLS),
    "state taken from padding": (FORWARD, "mask.choose(t, new, columns)", "new", TWINS("gru")),
    "output on padding not zero": (FORWARD, "mask.zeroed(hs[1:])", "hs[1:]", TWINS("rnn")),
    "direction reversed in time but not within length": (
        padding.PaddingMask.__init__, "np.arange(T)[::-1] if reverse else", "", TWINS("lstm"),
    ),
    "the input not turned round with its direction": (
        bptt.unroll, "forward_through_time(cell, w, turned(x.data, reverse)", "forward_through_time(cell, w, x.data", TWINS("rnn"),
    ),
    # what is faster: parts of a batch, chunks of steps, and slices of U
    "chunks that share a step": (
        in_place.InPlaceSteps.room, "self._chunk.filled += 1", "self._chunk.filled = 1", FASTER("gru"),
    ),
    "derivatives of a chunk taken twice": (
        in_place.InPlaceSteps.factors, "chunk.ready = True", "pass", FASTER("gru"),
    ),
    "derivatives of the last step alone": (
        in_place.InPlaceSteps.factors, "chunk.array[: chunk.filled]", "a[None]", FASTER("gru"),
    ),
    "gradients of one part only": (walk._Walker.gradients, "for part in dws", "for part in dws[:1]", FASTER("lstm")),
    "lengths of another part": (
        walk._Walker.forward, "self.lengths[part]", "self.lengths[: part.stop - part.start]",
        lambda: parallel_tests.test_walked_in_parts_and_chunks_a_batch_gives_the_same_as_plainly("gru", True, True),
    ),
    "rows that fill no slice forgotten": (
        slices.Slices._cut, "self.matrix[n * s :]", "self.matrix[rows:]", parallel_tests.test_slices_multiply_like_the_array,
    ),
    "pieces of a wide matrix not added": (
        slices.Slices.multiply, "products.sum(axis=-4)", "products[..., 0, :, :, :]", parallel_tests.test_slices_multiply_like_the_array,
    ),
    "bias gradient of one sequence only": (bptt.weight_gradients, "da_gates.sum(axis=1)", "da_gates[:, 0]", CELLS),
    # RNN
    "1 - h instead of 1 - h²": (rnn.RNNCell.backward, "1 - h * h", "1 - h", RNNS),
    "1 - y instead of 1 - y²": (activations.tanh_and_slope, "1 - y * y", "1 - y", lambda: gradients_are_right("cell lstm-cifg")),
    "U instead of Uᵀ": (rnn.RNNCell.backward, "w.U.T @ da", "w.U @ da", RNNS),
    # activations
    "1 at the upper kink of relu6": (
        activations.relu6_and_slope, "(a < 6)", "(a <= 6)",
        lambda: regularisation_tests.test_activations_agree_with_torch_also_at_the_kinks("ReLU6", np.random.default_rng(0)),
    ),
    "relu6 without its ceiling on the way back": (
        activations.relu6_and_slope, "(a > 0) & (a < 6)", "(a > 0)",
        lambda: gradcheck(activations.relu6, {"a": np.array([-1.0, 1.0, 7.0])}),
    ),
    "elu: slope without the one": (activations.elu_and_slope, "below + 1", "below", lambda: gradients_are_right("elu")),
    "prelu: slope learned where a > 0 too": (
        rnn_activations.RampRNNCell.backward, "dh * below", "dh * (below + dh_da)", lambda: gradients_are_right("cell rnn-prelu"),
    ),
    "rrelu draws nothing": (
        activations.rrelu_slopes, "rng is None", "True", regularisation_tests.test_rrelu_draws_in_training_and_takes_the_mean_in_evaluation,
    ),
    # layer normalisation
    "variance taken for fixed on the way back": (
        layer_norm.standardize_back, " - n * (dn * n).mean(axis=0, keepdims=True)", "", NORMALISED,
    ),
    "mean taken for fixed on the way back": (layer_norm.standardize_back, " - dn.mean(axis=0, keepdims=True)", "", NORMALISED),
    "the two products share their norm": (
        layer_norm.LayerNormLSTMCell.forward, "standardize(wx), standardize(w.U @ h_prev)", "standardize(wx + w.U @ h_prev), standardize(w.U @ h_prev)",
        lambda: twins_agree("lstm-layer-norm"),
    ),
    "dU from the gradient of the gates": (
        layer_norm.LayerNormLSTMCell.weight_gradients, '"U": duh @', '"U": da_gates @', NORMALISED,
    ),
    "candidate normalised with the gates": (
        layer_norm.LayerNormGRUCell._standardize, "standardize(v[: 2 * H]), standardize(v[2 * H :])",
        "(standardize(v)[0][: 2 * H], standardize(v)[1]), (standardize(v)[0][2 * H :], standardize(v)[1])",
        lambda: twins_agree("gru-layer-norm"),
    ),
    "bias before the norm": (
        bptt.input_products, "if not cell.adds_bias:", "if True:", lambda: twins_agree("lstm-layer-norm"),
    ),
    "no derivatives, a step at a time": (
        in_place.InPlaceSteps.factors, "self.derivatives(", "(lambda *_: None)(",
        lambda: regularisation_tests.test_walked_step_by_step_a_cell_gives_the_same_values_and_gradients("gru"),
    ),
    "the normalised memory read with the wrong gate": (
        layer_norm.LayerNormLSTMCell.read_back, "dh * o * (", "dh * (", NORMALISED,
    ),
    # dropout and first weights
    "a mask for every step": (
        basic.Dropout.forward, "0 if self.variational else None", "None", regularisation_tests.test_variational_dropout_has_one_mask_for_all_steps,
    ),
    "a mask for every step, a step at a time": (
        basic.Dropout.for_steps, "self.training and self.variational", "False",
        regularisation_tests.test_a_layer_walked_step_by_step_keeps_the_mask_of_its_sequence,
    ),
    "one orthogonal block for all gates": (
        basic.orthogonal, "[block() for _ in range(shape[0] // shape[1])]", "[block()] * (shape[0] // shape[1])",
        regularisation_tests.test_orthogonal_blocks_are_orthogonal_and_differ,
    ),
    # LSTM
    "input and forget gate swapped": (LSTM.forward, "c = f * c_prev + i * g", "c = i * c_prev + f * g", TWINS("lstm")),
    "input and forget gate swapped, backwards too": (
        LSTM.forward, "a_i, a_f, a_g, a_o = a.reshape", "a_f, a_i, a_g, a_o = a.reshape", TWINS("lstm"),
    ),
    "dc_from_future dropped": (LSTM.backward, "dc = dc_from_future + dh", "dc = dh", LSTMS),
    "forget gate missing on the way back": (LSTM.backward, "dc_prev = dc * f  #", "dc_prev = dc  #", LSTMS),
    "1 - tanh(c) instead of 1 - tanh²(c)": (LSTM.backward, "1 - tanh_c * tanh_c", "1 - tanh_c", LSTMS),
    "the slope of the forget gate without f": (LSTM.backward, "df * f * (1 - f)", "df * (1 - f)", LSTMS),
    "the new memory where the old one belongs": (LSTM.forward, "o, tanh_c, c_prev)", "o, tanh_c, c)", LSTMS),
    "the slope of the candidate as of a gate": (LSTM.backward, "1 - g * g", "g * (1 - g)", LSTMS),
    "peephole of o on the wrong memory": (VARIANT.forward, 'self._peep(w, "o", c)', 'self._peep(w, "o", c_prev)', PEEPHOLES),
    "peephole of o not followed into c": (VARIANT.backward, ' + self._peep_back(w, "o", da_of["o"])', "", PEEPHOLES),
    "peephole of f not followed into c": (VARIANT.backward, ' + self._peep_back(w, "f", da_of["f"])', "", PEEPHOLES),
    "dp_o from the memory before the step": (VARIANT.weight_gradients, '"o": c}', '"o": c_prev}', PEEPHOLES),
    # its faster twin
    "fast: ∂c/∂a_f from a gate that is no longer one": (in_place.lstm_derivatives, "remembered * f", "remembered * i", FASTER("lstm")),
    "fast: the memory kept for the derivative of a_f": (in_place.write_memory, "xp.multiply(f, c_prev, out=remembered)", "remembered[:] = f * c_prev + i * g; return remembered", FASTER("lstm")),
    "fast: 1 - tanh(c) instead of 1 - tanh²(c)": (in_place.lstm_derivatives, "o, h * tanh_c", "o, h", FASTER("lstm")),
    "fast: input and forget gate swapped": (FAST_LSTM.forward, "write_memory(f, i,", "write_memory(i, f,", FASTER("lstm")),
    "fast: dc_from_future dropped": (FAST_LSTM.backward, "sum_of_product(dc_from_future, dh, of_dh)", "dh * of_dh", FASTER("lstm")),
    "fast: forget gate missing on the way back": (FAST_LSTM.backward, "dc_prev = dc * f  #", "dc_prev = dc * 1  #", FASTER("lstm")),
    "fast: peephole of o on the wrong memory": (FAST_LSTM.forward, "p_o * c  #", "p_o * c_prev  #", FASTER("lstm-peephole")),
    "fast: peephole of o not followed into c": (FAST_LSTM.backward, "dc += p_o * da_o", "pass", FASTER("lstm-peephole")),
    "fast: peephole of f not followed into c": (FAST_LSTM.backward, "p_i * da_i + p_f * da_f", "p_i * da_i", FASTER("lstm-peephole")),
    "fast: dp_o from the memory before the step": (FAST_LSTM.weight_gradients, "(*memories, None)", "(memories[0], memories[0], None)", FASTER("lstm-peephole")),
    # variants of the LSTM
    "coupled gates: f not followed into i": (
        VARIANT.backward, "di = di - df", "pass", lambda: gradients_are_right("cell lstm-cifg"),
    ),
    "coupled gates: both write and keep": (VARIANT.forward, "f = 1 - i", "f = i", lambda: twins_agree("lstm-coupled")),
    "full peephole not transposed": (
        VARIANT._peep_back, "p.T @ da", "p @ da", lambda: gradients_are_right("cell lstm-full-peephole"),
    ),
    "full peephole of o on the wrong memory": (
        VARIANT.forward, 'self._peep(w, "o", c)', 'self._peep(w, "o", c_prev)', lambda: twins_agree("lstm-full-peephole"),
    ),
    "dP_o from the memory before the step": (
        VARIANT.weight_gradients, '"o": c}', '"o": c_prev}', lambda: gradients_are_right("cell lstm-full-peephole"),
    ),
    "gate recurrence: do_from_future dropped": (
        VARIANT.backward, "(dh * psi + do_from_future)", "dh * psi", lambda: gradients_are_right("cell lstm-fgr"),
    ),
    "gate recurrence: R not transposed": (
        VARIANT.backward, "w.R.T @", "w.R @", lambda: gradients_are_right("cell lstm-fgr"),
    ),
    "slope of tanh where there is none": (
        VARIANT.forward, '(a_of["g"], 1.0)', '(a_of["g"], 1 - a_of["g"] ** 2)', lambda: gradients_are_right("cell lstm-niaf"),
    ),
    # GRU
    "1 - z missing": (GRU.backward, "dn = dh * (1 - z)", "dn = dh", GRUS),
    "the slope of r without 1 - r": (GRU.backward, "dr * r * (1 - r)", "dr * r", GRUS),
    "the slope of r without 1 - r, reset after": (GRU_AFTER.backward, "dr * r * (1 - r)", "dr * r", GRUS),
    "z and 1 - z swapped, backwards too": (GRU.forward, "z = sigmoid(a_z)", "z = sigmoid(-a_z)", TWINS("gru")),
    "direct road to h_{t-1} missing": (GRU.backward, "z * dh + r * ds", "r * ds", GRUS),
    "road through the reset gate missing": (GRU.backward, "z * dh + r * ds", "z * dh", GRUS),
    "dU_n from h instead of r * h": (GRU.weight_gradients, "da[2 * H :] @ s_of_all.T", "da[2 * H :] @ h_prev", GRUS),
    "dU_n without the reset gate": (GRU_AFTER.weight_gradients, "dq = da[3 * H :]", "dq = da[2 * H : 3 * H]", GRUS),
    "reset and update gate swapped": (GRU_AFTER.forward, "wx_r, wx_z, wx_n = wx", "wx_z, wx_r, wx_n = wx", TWINS("gru-after")),
    # their faster twins
    "fast: 1 - z missing": (in_place.new_state_derivatives, "1 - z, 1 - n * n", "1, 1 - n * n", FASTER("gru")),
    "fast: ∂s/∂a_r without 1 - r": (FAST_GRU.derivatives, "s, s * r", "s, 0", FASTER("gru")),
    "fast: ∂a_n/∂a_r without 1 - r": (FAST_GRU_AFTER.derivatives, "rq, rq * r", "rq, 0", FASTER("gru-after")),
    "fast: road through the reset gate missing": (FAST_GRU.backward, "sum_of_products(z, dh, r, ds)", "z * dh", FASTER("gru")),
    "fast: direct road to h_{t-1} missing": (FAST_GRU.backward, "sum_of_products(z, dh, r, ds)", "r * ds", FASTER("gru")),
    "fast: dU_n from h instead of r * h": (FAST_GRU.weight_gradients, "a[4 * H : 5 * H]", "a[3 * H : 4 * H]", FASTER("gru")),
    "fast: reset and update gate swapped": (FAST_GRU_AFTER.forward, "r, z, n, stays, rq =", "z, r, n, stays, rq =", FASTER("gru-after")),
    # pictures
    "what neighbours send back written instead of added": (
        neighbours.NeighbourCell.sent_back, "dh[:, :, there] += d_by_site", "dh[:, :, there] = d_by_site",
        lambda: gradients_are_right("drawing row"),
    ),
    "fast: gradient of the state above dropped": (
        diagonals._Walker.backward, "d_state[0][:, above] += w.N.T @ da_here[:rows_of_a]", "pass",
        lambda: gradients_are_right("drawing diagonal"),
    ),
    "a pixel sees itself": (
        grid_drawing.GridModel.logits, "self.window_left(x)[:, :, :, :C]", "self.window_left(x)[:, :, :, 1 : C + 1]",
        lambda: drawing_tests.test_nothing_later_is_seen("row 3 1"),
    ),
    "the walk from the right sees its own row": (
        grid_drawing.DiagonalModel.hidden, "zeros(1, *x.shape[1:])), own[:-1]]", "zeros(1, *x.shape[1:])), own][1:]",
        lambda: drawing_tests.test_nothing_later_is_seen("diagonal 3 2"),
    ),
    # autograd
    "gradient written instead of accumulated": (
        tape.walk_back, "sums[slot] + dx if slot in sums else dx", "dx", lambda: gradients_are_right("model"),
    ),
    "second backward overwrites": (tape._add_to_grad, "leaf.grad + total", "total", second_backward_adds),
    "broadcasting undone by the mean": (recording.unbroadcast, "gradient.sum(", "gradient.mean(", lambda: gradients_are_right("add")),
    "repeated row counted once": (
        backend.add_rows, "np.add.reduceat(values[order], first, axis=0)", "values[order][first]",
        lambda: gradients_are_right("embedding"),
    ),
    "repeated id counted once": (
        backend.scatter_add, "array_module(target).add.at(target, index, values)", "target[index] += values",
        lambda: copying_tests.test_probabilities_are_those_of_the_definition("after", "sentences"),
    ),
    "ids of another sentence": (
        sequences.sum_by_id, "* size + ids", "* size + ids[::-1]",
        lambda: copying_tests.test_probabilities_are_those_of_the_definition("after", "sentences"),
    ),
    "repeated index counted once in getitem": (
        backend.scatter_add, "array_module(target).add.at(target, index, values)", "target[index] += values",
        lambda: gradients_are_right("getitem (repeated)"),
    ),
    "softmax gradient of zero": (
        functional.softmax, "y * (dy - (dy * y).sum(axis=axis, keepdims=True))", "y * 0 * dy",
        lambda: gradients_are_right("softmax"),
    ),
    "softmax gradient without the sum": (
        functional.softmax, "y * (dy - (dy * y).sum(axis=axis, keepdims=True))", "y * dy",
        lambda: gradients_are_right("softmax"),
    ),
    "ignored targets weigh on the gradient": (
        functional.cross_entropy, "(weight * dy).reshape", "(dy + 0 * weight).reshape", lambda: gradients_are_right("cross_entropy"),
    ),
    "label smoothing in the loss alone": (
        functional.cross_entropy, "dz -= scale * (eps / V)", "pass", lambda: gradients_are_right("cross_entropy"),
    ),
    "a product divided by its factor": (
        reductions._product_of_others, "(before * after)", "(before * after * x.reshape(lines.shape))",
        lambda: gradients_are_right("prod (zeros)"),
    ),
    "later sums forgotten": (
        reductions.cumsum, "xp.flip(xp.cumsum(xp.flip(dy, along), axis=along), along)", "dy", lambda: gradients_are_right("cumsum"),
    ),
    "the gradient at the equal elements of a minimum": (
        reductions._extreme, "x == _spread(", "x >= _spread(", lambda: gradients_are_right("min"),
    ),
    "the spread of a single element forgotten": (
        reductions._variance, "x - x.mean(axis=axis, keepdims=True)", "x - x.mean()", lambda: gradients_are_right("var"),
    ),
    "a bound does not bind on the way back": (
        elementwise.clip, "(x >= low) & (x <= high)", "(x <= high)", lambda: gradients_are_right("clip"),
    ),
    "both of two receive all": (elementwise._won, "xp.where(tied, dz / 2, 0)", "dz", lambda: gradients_are_right("maximum")),
    "the gradient of the margin": (
        shapes.pad, "dy[inside]", "dy[tuple(slice(n) for n in x.shape)]", lambda: gradients_are_right("pad"),
    ),
    "einsum: the operand itself among the others": (
        einsum_module.einsum, "*inputs[i + 1 :]", "*inputs[i:]", lambda: gradients_are_right("einsum (ij->ji)"),
    ),
    "einsum: letters of one operand alone not followed": (
        einsum_module._gradient, "tuple(lengths[letter] for letter in wanted))", "tuple(lengths[letter] for letter in wanted)) * 0",
        lambda: gradients_are_right("einsum (ij,k->)"),
    ),
    "the mean counts for the loss alone": (
        functional.nll_loss, "(-weight * dy)", "(-dy * xp.ones_like(weight))", lambda: gradients_are_right("nll_loss (mean)"),
    ),
    "the slope of the sigmoid after the logarithm": (
        functional.binary_cross_entropy_with_logits, "dy * (p - y)", "dy * (p - y) * p * (1 - p)",
        lambda: gradients_are_right("binary"),
    ),
    # Attention
    "a collected gradient forgets its earlier parts": (
        pending.Pending.__add__, "self.parts + other.parts", "other.parts", lambda: gradients_are_right("linear (shared)"),
    ),
    "additive score: no tanh'": (
        functional.additive_scores, "xp.subtract(1, xp.multiply(t, t, out=da), out=da)", "da[:] = 1", lambda: gradients_are_right("additive"),
    ),
    "context: values and weights exchanged": (
        functional.weighted_sum, "_pending_outer(alpha, dc)", "_pending_outer(alpha * 0 + 1, dc)", lambda: gradients_are_right("weighted"),
    ),
    "a step whose memory goes unheard": (
        stepper.Stepper.__call__, "zero if d is None else d.T for d in dstate", "zero if i or d is None else d.T for i, d in enumerate(dstate)",
        lambda: gradients_are_right("translation attention (before, fed"),
    ),
    "padding is attended to": (
        attention.Attention.forward, "mask=memory.mask", "mask=None", lambda: padding_changes_nothing("attention additive"),
    ),
    "the loss counts padding": (
        translation.sentence_loss, "Y[real]", "Y[real] * 0", lambda: padding_changes_nothing("handover"),
    ),
    "the penalty counts padded steps": (
        translation.attention_regularizer, "np.arange(T)[:, None] < lengths", "np.arange(T)[:, None] <= lengths",
        lambda: padding_changes_nothing("attention additive"),
    ),
    "no gradient to what is looked at": (
        functional.dot_scores, "_pending_outer(de, q)", "_pending_outer(de * 0, q)", lambda: gradients_are_right("translation attention (dot"),
    ),
    "scores have no gradient to the query": (
        functional.additive_scores, "[dq, da,", "[dq * 0, da,", lambda: gradients_are_right("translation attention (additive"),
    ),
    "padding is given weight without softmax": (
        attention.Attention.forward, "ops.where(memory.mask, scores, 0.0)", "scores",
        lambda: translation_tests.test_scores_weights_and_context_are_those_of_the_definition("additive", "none", np.random.default_rng(0)),
    ),
    "location: the window looks one position aside": (
        attention.LocationAwareScore.forward, "padded[:, i : i + S]", "padded[:, max(i - 1, 0) : max(i - 1, 0) + S]",
        lambda: translation_tests.test_scores_weights_and_context_are_those_of_the_definition("location", "softmax", np.random.default_rng(0)),
    ),
    # A step at a time
    "dU of a step from h_t instead of h_{t-1}": (
        stepper.Stepper.__call__, "x.data, state[0].data, kept", "x.data, new[0].T, kept", lambda: gradients_are_right("translation attention (dot"),
    ),
    "weights of the latest step alone": (
        stepper.Stepper.__call__, "lambda steps: steps,", "lambda steps: steps[-1:],", lambda: gradients_are_right("translation attention (dot"),
    ),
    "no gradient to the input of a step": (
        stepper.Stepper.__call__, "da[: len(w.b)].T @ w.W if", "0 * da[: len(w.b)].T @ w.W if", lambda: gradients_are_right("translation attention (dot"),
    ),
    # Encoder and decoder
    "the directions of a layer mixed with the sentences": (
        encoders.Bridge._by_layer, "ops.transpose(by_direction, (0, 2, 1, 3))", "by_direction", states_are_copied,
    ),
    "the bridge starts at the bottom layer": (encoders.Bridge.forward, "self._by_layer(s)[-1]", "self._by_layer(s)[0]", bridges_are_learned),
    "the bridge's layers mixed with the sentences": (
        encoders.Bridge.forward, "ops.transpose(ops.reshape(y, (B, *shape[::2])), (1, 0, 2))", "ops.reshape(y, shape)", bridges_are_learned,
    ),
    "context from the bottom layer": (
        decoders.ContextDecoder.start, "h[h.shape[0] - width // h.shape[2] :]", "h[: width // h.shape[2]]", states_are_copied,
    ),
    "the own token of the first step at every step": (seq2seq.EncoderDecoder.forward, "features[-1]", "features[0]", own_tokens_are_fed),
    "the coin of the step before": (seq2seq.EncoderDecoder.forward, "coins[t]", "coins[t - 1]", own_tokens_are_fed),
    "the truth of the step before": (
        seq2seq.EncoderDecoder.forward, "on_device[t : t + 1]", "on_device[t - 1 : t]", own_tokens_are_fed,
    ),
    "the state of the step before": (seq2seq.EncoderDecoder.forward, "state = step.state", "pass", own_tokens_are_fed),
    "held-out text judged by the smoothed loss": (
        translation.Translation.nll, 'reduction="sum"', 'reduction="sum", label_smoothing=self.label_smoothing',
        validation_is_the_plain_loss,
    ),
    "perplexity without <eos>": (
        translation.Translation.nll, "sum(len(target)", "sum(len(target) - 1", validation_is_the_plain_loss,
    ),
    "targets not shifted": (translation.shift_right, "Y[:-1]", "Y[1:]", validation_is_the_plain_loss),
    # Copying, and comparing turns
    "no gradient to what is pointed at": (
        sequences.sum_by_id, "dy.reshape(-1)[at]", "0 * dy.reshape(-1)[at]",
        lambda: gradients_are_right("chat attentive (matching, copying"),
    ),
    "it writes where it should point": (
        copying.CopyingDecoder.logits, "(1 - g) * features", "g * features",
        lambda: copying_tests.test_probabilities_are_those_of_the_definition("after", "sentences"),
    ),
    "words of another sentence are pointed at": (
        attention.Memory.select, "self.words[at]", "self.words",
        lambda: copying_tests.test_selected_rows_go_on_as_they_would_have("after", [2, 0, 0, 1]),
    ),
    "padding is compared with": (
        history_encoders._matches, "np.where(np.arange(T)[:, None] < source.word_lengths, source.words, -1)", "source.words",
        lambda: history_tests.test_padding_changes_nothing("hierarchical matching"),
    ),
    "padding is a word in common": (
        history_encoders._matches, " & (told >= 0)", "",
        lambda: history_tests.test_each_turn_is_compared_with_the_latest_by_its_words("hierarchical", None),
    ),
    "turns are compared with the first": (
        history_encoders._matches, "source.lengths - 1", "source.lengths * 0",
        lambda: history_tests.test_each_turn_is_compared_with_the_latest_by_its_words("hierarchical", None),
    ),
    "long turns match more": (
        history_encoders._matches, "common / np.sqrt(source.word_lengths[source.turns])", "common * 1.0",
        lambda: history_tests.test_each_turn_is_compared_with_the_latest_by_its_words("hierarchical", None),
    ),
    # The choice among answers
    "the question is made probable by the answer to another": (
        reranking.Reranker.log_probs, "zip(answers, turns,", "zip(turns, answers,",
        lambda: reranking_tests.test_what_a_turn_costs_after_an_answer(None),
    ),
    "the least fitting answer": (
        reranking.Reranker.best, "scores.argmax()", "scores.argmin()",
        lambda: reranking_tests.test_the_best_answer_has_the_highest_score(0.5, 1.3, np.random.default_rng(0)),
    ),
    # Search
    "hypotheses without their h": (
        decoders.DecoderState.select, "take(h) for h in arrays", "Tensor(h.data.take(like(np.sort(rows)[::-1], h.data), axis=-2)) for h in arrays",
        lambda: hypotheses_keep_their_state("handover"),
    ),
    "hypotheses without their context": (
        decoders.DecoderState.select, "for h in arrays)), context", "for h in arrays)), self.context", lambda: hypotheses_keep_their_state("context"),
    ),
    "hypotheses without where they looked": (
        decoders.DecoderState.select, "memory, weights, feed)", "memory, self.weights, feed)", lambda: hypotheses_keep_their_state("attention location"),
    ),
    "hypotheses without what they said": (
        decoders.DecoderState.select, "memory, weights, feed)", "memory, weights, self.feed)", lambda: hypotheses_keep_their_state("attention after, fed"),
    ),
    "the memory of another sentence": (
        attention.Memory.select, "np.array_equal(sentence, self.sentence)", "len(sentence) == len(self.sentence)", selected_rows_go_on,
    ),
    "the keys of another sentence": (
        attention.Memory.select, "self.keys.data[at]", "self.keys.data[at * 0]", lambda: hypotheses_keep_their_state("attention additive"),
    ),
    "the values of another sentence": (
        attention.Memory.select, "self.values.data[at]", "self.values.data[at * 0]", selected_rows_go_on,
    ),
    "the mask of another sentence": (
        attention.Memory.select, "self.mask[at]", "self.mask[at * 0]", lambda: hypotheses_keep_their_state("attention additive"),
    ),
    "the state of another hypothesis": (
        hypotheses.Prefixes.extend, "select(self.state, parents)", "select(self.state, np.sort(parents))", lambda: hypotheses_keep_their_state("handover"),
    ),
    "the attention of another hypothesis": (
        hypotheses.Prefixes.extend, "self.attention[parents]", "self.attention[np.sort(parents)]", lambda: hypotheses_keep_their_state("attention additive"),
    ),
    "the probability of the last token alone": (
        beam._best_continuations, "before[row] + log_probs[row, token]", "log_probs[row, token]", lambda: hypotheses_keep_their_state("handover"),
    ),
    "continuations of the first hypothesis alone": (
        beam._best_continuations, "return row[best]", "return 0 * row[best]", lambda: hypotheses_keep_their_state("handover"),
    ),
    "mean over the wrong count": (ops.mean, "/ count", "/ a.size", lambda: gradients_are_right("mean")),
    "matmul gradient not transposed": (ops.matmul, "product(X.swapaxes(-1, -2), as_matrix(dz))", "product(X, as_matrix(dz))", lambda: gradients_are_right("matmul")),
    # training
    "Adam without bias correction": (
        optimizers.Adam.update, "self.learning_rate / (1 - beta1**t)", "self.learning_rate",
        adam_first_step_has_the_length_of_the_learning_rate,
    ),
    "frozen parameters are trained": (
        optimizers.Optimizer.step, " and p.requires_grad", "", frozen_parameters_stay,
    ),
    "frozen parameters are clipped": (clipping.clip_grad_norm, " and p.requires_grad", "", frozen_parameters_stay),
    "clipping each parameter by itself": (
        clipping._clip_on_cpu, "g *= max_norm / norm", "g *= max_norm / np.sqrt((g * g).sum())", clipping_gives_the_norm,
    ),
}  # fmt: skip

CAUGHT = (GradcheckError, AssertionError, ValueError)  # ValueError: a shape that no longer fits


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if i % 5 else ()) for i, name in enumerate(MISTAKES)]
)
def test_the_checks_catch(name):
    function, right, wrong, check = MISTAKES[name]
    with mistake(function, right, wrong), pytest.raises(CAUGHT):
        check()
    check()  # and the original passes, so it was the mistake that was caught


@pytest.mark.parametrize("name", CELL_NAMES)
def test_the_twins_agree_without_a_mistake(name):
    twins_agree(name)
