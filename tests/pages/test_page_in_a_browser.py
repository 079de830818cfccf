"""The pages, in a real browser: they open by themselves, and follow the engine."""

import json
import re
import time

import browser
import numpy as np
import pytest
from browser import BACKSPACE, END, ENTER, ESCAPE, HOME, LEFT, RIGHT
from test_lessons import engine_gradients

from minirnn import CELL_NAMES
from minirnn.cells import Cell
from minirnn.pages.stepping.backward_pass import page
from minirnn.pages.stepping.lessons import MOST_LETTERS, MOST_UNITS, attention, recurrent

QUICK = ("rnn", "gru", "lstm", "lstm-peephole")
LARGE = ("lstm-layer-norm", "gru-layer-norm", "lstm-fgr")
GRADIENTS = "Object.fromEntries(Object.entries(state.gradients).filter(([, v]) => v.d).map(([k, v]) => [k, v.d]))"


@pytest.fixture(scope="module")
def driver():
    found = browser.opened()
    yield found
    found.quit()


@pytest.fixture
def open_page(driver, tmp_path):
    def open_one(lesson):
        file = tmp_path / "page.html"
        file.write_text(page(lesson), "utf-8")
        return browser.Page(driver, file)

    return open_one


def same(found, expected, rtol=1e-9, atol=1e-12):
    for name, values in found.items():
        np.testing.assert_allclose(values, np.ravel(expected[name]), rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("cell", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CELL_NAMES])
def test_every_cell_has_a_page_that_opens_without_a_network_and_computes_what_the_engine_computes(open_page, cell):
    lesson = recurrent(cell)
    shown = open_page(lesson)
    badge = shown.text("#badge")
    assert badge.startswith("✓")
    assert float(shown.ask("document.getElementById('badge').dataset.worst")) < 1e-9
    result, _, _ = lesson.run()
    same(shown.ask(GRADIENTS), result["gradients"])
    shown.press(END)
    assert shown.ask("state.at === state.events.length - 1")
    exact = shown.ask("[...document.querySelectorAll('#over-time .steps > div:last-child .n')].map((n) => n.node.v)")
    np.testing.assert_allclose(exact, result["gradients"]["U"].ravel(), rtol=1e-9, atol=1e-12)
    shown.change('[data-of="U 1"]', 0.75)
    lesson.numbers["w"].U[0, 1] = 0.75
    _loss, changed = engine_gradients(lesson)
    same(shown.ask(GRADIENTS), changed, rtol=1e-6, atol=1e-9)
    assert not np.allclose(changed["U"], result["gradients"]["U"], rtol=1e-6)
    assert shown.complaints() == []
    assert [url for url in shown.asked_for() if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_the_keyboard_leads_through_every_line_to_the_end(open_page):
    lesson = recurrent("lstm", "abc")
    shown = open_page(lesson)
    count = shown.ask("state.events.length")
    place = "document.querySelector('.line.lit').dataset.line + ' ' + document.querySelector('.stack').textContent"
    shown.ask(f"(() => {{ window.lit = [{place}]; addEventListener('keydown', () => lit.push({place})); }})()")
    shown.press(RIGHT * (count + 2))  # three more than there are lines ahead: the end is the end
    lit = shown.ask("lit")
    expected = shown.ask(
        "state.events.map((e) => e.line + ' ' + e.stack.map((c) => c.fn.file + ': ' + c.fn.name).join(' › '))"
    )
    assert lit == [*expected, *[expected[-1]] * 3]
    time.sleep(0.3)
    assert shown.ask("location.hash") == f"#line={count - 1}"
    final = shown.ask("[...document.querySelectorAll('#over-time .steps > div:last-child .n')].map((n) => n.node.v)")
    np.testing.assert_allclose(final, lesson.run()[0]["gradients"]["U"].ravel(), rtol=1e-12, atol=1e-14)
    shown.press(HOME)
    assert shown.ask("state.at") == 0
    assert shown.complaints() == []


@pytest.mark.slow
def test_steps_go_from_one_time_to_the_next_there_and_back(open_page):
    shown = open_page(recurrent("gru"))
    there = [0]
    while there[-1] < shown.ask("state.events.length - 1"):
        shown.press(RIGHT, with_shift=True)
        there.append(shown.ask("state.at"))
    assert there == sorted(set(there))
    assert 4 * 4 < len(there) < 30
    back = [there[-1]]
    while back[-1]:
        shown.press(LEFT, with_shift=True)
        back.append(shown.ask("state.at"))
    assert back == there[::-1]
    shown.press("b")
    assert "way back" in shown.text("#place")
    assert shown.text(".stack").endswith("read_out_back")


@pytest.mark.slow
def test_the_address_holds_the_place(open_page):
    shown = open_page(recurrent("rnn"))
    shown.ask("location.hash = '#line=57'")
    shown.ask("new Promise((done) => setTimeout(done, 50))")
    assert shown.ask("state.at") == 57
    shown.driver.refresh()
    assert shown.ask("state.at") == 57
    for odd in ("#line=99999999", "#line=-3", "#line=x", "#", "#other"):
        shown.driver.get(shown.driver.current_url.partition("#")[0] + odd)
        shown.driver.refresh()
        assert 0 <= shown.ask("state.at") < shown.ask("state.events.length")
    assert shown.complaints() == []


def test_a_number_says_what_it_was_made_from_down_to_what_was_given(open_page):
    shown = open_page(recurrent("lstm"))
    line = shown.ask("state.events.findIndex((e) => e.fn.name === 'LSTMCell.forward' && 'c' in e.values && e.t === 1)")
    shown.ask("go(a)", line)
    words = re.sub(r"\s+", " ", shown.text("#equation"))
    assert "(4)" in words
    assert "the memory" in words
    shown.press("n", ENTER)
    parts = shown.ask("[...factors(state.selected)].map((n) => [called(n.label).name, n.v])")
    assert [name for name, _ in parts] == ["f", "c", "i", "g"]
    f, c, i, g = (v for _, v in parts)
    assert shown.ask("state.selected.v") == pytest.approx(f * c + i * g, rel=1e-12)
    assert (
        shown.ask("document.querySelectorAll('.n.factor').length") >= 8
    )  # in the equation, the variables, the picture
    while shown.ask("Boolean(state.selected.args.length)"):  # ever further back
        shown.ask("select([...factors(state.selected)][0])")
    assert shown.ask("['input', 'const'].includes(state.selected.op)")
    assert "was given" in shown.text("#origin")
    shown.press(BACKSPACE)
    assert shown.ask("state.selected.args.length") > 0
    shown.press(ESCAPE)
    assert shown.ask("document.getElementById('origin').hidden")


def test_a_name_lights_up_the_same_quantity_in_equation_source_variables_and_picture(open_page):
    shown = open_page(recurrent("lstm"))
    line = shown.ask(
        "state.events.findIndex((e) => e.fn.name === 'LSTMCell.backward' && 'df' in e.values && e.t === 2)"
    )
    shown.ask("go(a)", line)
    shown.ask("light(document.querySelector('#equation [data-name=c_prev]'))")
    for place in ("#equation", "#listing", "#values"):
        lit = shown.ask("[...document.querySelectorAll(a + ' .same')].map((one) => one.dataset.name)", place)
        assert set(lit) == {"c_prev"}, place
    lit = shown.ask("[...document.querySelectorAll('#picture .same')].map((one) => [one.dataset.name, one.dataset.t])")
    assert lit == [["c", "1"]]  # c of the step before


@pytest.mark.slow
def test_the_quiz_takes_the_right_number_and_no_other(open_page):
    shown = open_page(recurrent("lstm", "abc"))
    for line in shown.ask("state.events.filter((e) => (e.fn.named[e.line] || []).length).map((e) => e.at)")[::9]:
        shown.ask("go(a)", line)
        shown.press("q")
        if not shown.ask("quiz.node !== null"):
            assert "makes no number" in shown.text("#verdict")
            continue
        value = shown.ask("quiz.node.v")
        seen = shown.ask(
            "[...document.querySelectorAll('.n')].filter((n) => n.node === quiz.node).map((n) => n.textContent)"
        )
        assert seen
        assert set(seen) == {"?"}
        for wrong in (value * 1.05, value * 0.9, -value, 0, value + 1, "", "abc"):
            shown.change("#answer", wrong)
            shown.ask("document.getElementById('answer-button').click()")
            assert not shown.text("#verdict").startswith("✓"), (value, wrong)
            assert shown.ask("quiz.node !== null")
        shown.change("#answer", f"{value:.3g}".replace("-", "−"))
        shown.ask("document.getElementById('answer-button').click()")
        assert shown.text("#verdict").startswith("✓"), value
    shown.ask("go(0)")
    shown.press("q")
    assert "makes no number" in shown.text("#verdict")
    assert shown.complaints() == []


@pytest.mark.parametrize("cell", ["rnn", "gru-after", "lstm-peephole"])
def test_the_slider_cuts_off_what_truncation_cuts_off(open_page, cell):
    lesson = recurrent(cell, "abacus")
    shown = open_page(lesson)
    _, trace, d_hs = lesson.run()
    for steps in (1, 2, 3, 5):
        shown.change("#truncate", steps)
        _, expected = engine_gradients(lesson, steps)
        found = json.loads(shown.ask("document.getElementById('truncated').dataset.truncated"))
        np.testing.assert_allclose(found, expected["U"].ravel(), rtol=1e-9, atol=1e-12)
        shown.change("#triangle-entry", 1)
        assert shown.ask("document.querySelector('#triangle-truncated .n').node.v") == pytest.approx(
            expected["U"][0, 1]
        )
    from minirnn.pages.stepping.recurrent_lesson import contributions

    triangle = contributions(lesson.objects["cell"], lesson.numbers["w"], trace, d_hs)
    shown.change("#truncate-mode", "back")
    shown.change("#truncate", 2)
    expected = sum(row[k]["U"] for t, row in enumerate(triangle) for k in range(t + 1) if t - k < 2)
    found = json.loads(shown.ask("document.getElementById('truncated').dataset.truncated"))
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-9, atol=1e-12)


def test_any_number_can_be_checked_by_a_finite_difference(open_page):
    shown = open_page(recurrent("gru"))
    names = shown.ask("Object.keys(arraysOf(state.args))")
    assert names == ["W", "U", "b", "V", "b_V", "x", "state 0"]
    for name in names:
        shown.change("#check-name", name)
        for index in range(0, shown.ask("arraysOf(state.args)[a].d.length", name), 5):
            shown.change("#check-index", index)
            assert "✓" in shown.text("#check .verdict"), (name, index)
    assert shown.ask("agreement().worst") < 1e-9  # nothing has stayed changed


def test_the_scale_of_u_makes_the_product_of_jacobians_vanish_and_explode(open_page):
    lesson = recurrent("rnn-relu")
    lesson.numbers["w"].U[:] = np.eye(3)
    lesson.numbers["w"].b[:] = 2  # so that no unit is ever shut: each Jacobian is U
    shown = open_page(lesson)
    steps = [1, 2, 3, 4, 6, 8, 10, 15, 20]
    for scale in (0.3, 1, 3):
        shown.change("#scale-slider", scale)
        found = shown.ask("[...document.querySelectorAll('#scale .reach')].map((one) => Number(one.textContent))")
        np.testing.assert_allclose(found, [scale**n for n in steps], rtol=1e-2)


def test_changed_inputs_targets_and_states_are_followed_and_taken_back(open_page):
    lesson = recurrent("lstm")
    shown = open_page(lesson)
    shown.change('[data-of="x 2"]', "-0,5")  # with a comma, as some write
    shown.change('[data-of="state 1 1"]', "0.25")
    shown.change("#target-1", 0)
    lesson.numbers["x"].flat[2] = -0.5
    lesson.numbers["state"][1][0, 1] = 0.25
    lesson.numbers["y"][1, 0] = np.eye(4)[0]
    _, expected = engine_gradients(lesson)
    same(shown.ask(GRADIENTS), expected, rtol=1e-6, atol=1e-9)
    assert "changed" in shown.text("#badge")
    for bad in ("", "abc", "1e999", "nan"):
        shown.change('[data-of="x 2"]', bad)
        assert shown.ask("state.args.x.d[2]") == -0.5
    shown.ask("document.getElementById('reset').click()")
    assert shown.ask("agreement().worst") < 1e-9
    assert "changed" not in shown.text("#badge")
    shown.change('[data-of="U 0"]', "1e300")  # too large to be computed with
    assert shown.complaints() == []


class HaltingCell(Cell):
    """An RNN whose tanh is a loop that cannot be translated:

    (1)  h_t = tanh(W x_t + U h_{t-1} + b)
    (2)  da = dh * (1 - h²)
    """

    gates = "h"

    def forward(self, w, wx, state):
        (h_prev,) = state
        a = wx + w.U @ h_prev
        while a.max() > 1000:
            a = a / 2
        h = np.tanh(a)  # (1)
        return (h,), h

    def backward(self, w, kept, dstate, da):
        h, (dh,) = kept, dstate
        da[:] = dh * (1 - h * h)  # (2)
        return (w.U.T @ da,)


def test_a_cell_that_cannot_be_translated_shows_its_recorded_numbers_and_says_so(open_page):
    lesson = recurrent(HaltingCell())
    shown = open_page(lesson)
    assert "while" in shown.text("#badge")
    assert "recorded" in shown.text("#badge").lower()
    result, _trace, _d_hs = lesson.run()
    same(shown.ask(GRADIENTS), result["gradients"])
    assert "cannot be changed" in shown.text("#editor") or "not changed" in shown.text("#editor")
    assert "✓" in shown.text("#check .verdict")
    shown.change("#truncate", 2)
    found = json.loads(shown.ask("document.getElementById('truncated').dataset.truncated"))
    np.testing.assert_allclose(found, engine_gradients(lesson, 2)[1]["U"].ravel(), rtol=1e-9)
    shown.press(RIGHT * shown.ask("state.events.length"))
    assert shown.complaints() == []


def test_the_page_of_attention_follows_changes_and_checks_them(open_page):
    lesson = attention()
    shown = open_page(lesson)
    assert shown.text("#badge").startswith("✓")
    shown.press(END)
    same(shown.ask(GRADIENTS), lesson.run()["gradients"])
    shown.change('[data-of="memory 4"]', "1.5")
    lesson.numbers["memory"].flat[4] = 1.5
    changed = lesson.run()["gradients"]
    same(shown.ask(GRADIENTS), changed, rtol=1e-9)
    roads = shown.ask(
        "[...document.querySelectorAll('#roads .matrix')].map((m) => [...m.children].map((n) => n.node.v))"
    )
    np.testing.assert_allclose(np.add(roads[0], roads[1]), changed["memory"].ravel(), rtol=1e-9, atol=1e-12)
    for name in ("W", "O", "b_O", "memory", "queries"):
        shown.change("#check-name", name)
        assert "✓" in shown.text("#check .verdict"), name
    rows = shown.ask(
        "[...document.querySelectorAll('#picture table')].map((table) => [...table.rows].slice(1).map("
        "(row) => [...row.querySelectorAll('.n')].reduce((sum, n) => sum + n.node.v, 0)))"
    )
    np.testing.assert_allclose(rows[0], 1)  # the weights of each step
    np.testing.assert_allclose(rows[2], 0, atol=1e-12)  # the gradients of its scores
    assert shown.complaints() == []


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out_of_a_screen(open_page, driver, width):
    for lesson in (
        recurrent("lstm-layer-norm", "a" * MOST_LETTERS, MOST_UNITS),
        attention("a" * MOST_LETTERS, MOST_UNITS),
    ):
        shown = open_page(lesson)
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        try:
            for key in (HOME, "b", END):
                shown.press(key)
                assert shown.ask("document.documentElement.scrollWidth") <= width
        finally:
            driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("cell", [c if c in LARGE else pytest.param(c, marks=pytest.mark.slow) for c in CELL_NAMES])
def test_the_largest_page_is_no_larger_than_400_kb_and_always_the_same(cell):
    lesson = recurrent(cell, "abcdefghi"[:MOST_LETTERS], MOST_UNITS)
    written = page(lesson)
    assert len(written.encode()) < 400_000
    assert page(recurrent(cell, "abcdefghi"[:MOST_LETTERS], MOST_UNITS)) == written


def test_a_text_that_looks_like_html_is_shown_as_it_is(open_page):
    shown = open_page(recurrent("rnn", "</b>&<'\"\\"[:MOST_LETTERS]))
    assert shown.text("#badge").startswith("✓")
    assert shown.ask("[...document.querySelectorAll('#picture .letter')].length") >= 6
    assert shown.complaints() == []


def test_a_page_that_computes_something_else_than_was_recorded_says_so(driver, tmp_path):
    written = page(recurrent("lstm"))
    assert written.count("f = R.sigmoid(a_f)") == 1
    for wrong in ("f = R.tanh(a_f)", "f = R.mul(R.sigmoid(a_f), 1 + 1e-8)"):
        file = tmp_path / "wrong.html"
        file.write_text(written.replace("f = R.sigmoid(a_f)", wrong), "utf-8")
        shown = browser.Page(driver, file)
        assert shown.text("#badge").startswith("✗"), wrong
        assert shown.ask("document.getElementById('badge').classList.contains('bad')")
