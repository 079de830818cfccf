// The sequence, unrolled: a column for each step of time, with what is known of it at the place where we are.

const FORWARD = "forward_through_time", BACK = "backward_through_time";

/** Array `i` of the state after step t (-1: before the first). */
function stateAfter(t, i) {
  const found = latest(FORWARD, "columns", t < 0 ? null : t);
  return found && found.value.list[i];
}

/** The gradient of array `i` of the state after step t: what came from above, or for a memory from within the step,
 * through h; what came from the future; and the sum. */
function gradientAfter(t, i) {
  const from = t === page.steps - 1 ? null : t + 1; // the walk begins with what is behind the last step
  const valueOf = (found) => found && found.value;
  if (i > 0) {
    const memory = latest(BACK, "d_memory", from);
    const sum = t >= 0 ? valueOf(latest(page.cellBackward, "d" + page.states[i], t)) : null;
    return { future: memory && memory.value.list[i - 1], sum };
  }
  const of = (name) => (t >= 0 ? valueOf(latest(BACK, name, t)) : null);
  return { above: of("dh_from_above"), future: valueOf(latest(BACK, "dh_from_future", from)), sum: of("dh") };
}

const column = (value, of) => value.nodes.map((node, i) => make("div", { class: "row" }, numeral(node, `${of} ${i + 1}`)));
const arrow = (text, on, css = "") => make("span", { class: `arrow ${on ? "on " + css : ""}`, "aria-hidden": "true" }, text);

function showUnrolled(event) {
  const T = page.steps, box = byId("picture");
  const grid = make("div", { class: "unrolled", style: `grid-template-columns: max-content repeat(${T + 1}, max-content auto)` });
  const put = (row, col, element) => {
    element.style.gridRow = row;
    element.style.gridColumn = col;
    grid.append(element);
  };
  const at = (t) => 2 + 2 * (t + 1); // the grid's column of step t; -1 is the state before the first
  const boxed = (t, name, ...children) =>
    make("div", { class: "box" + (t === event.t && name !== "x" ? " current" : ""), "data-name": name, "data-t": t }, ...children);
  const rows = { head: 1, loss: 2, lossArrow: 3, p: 4, pArrow: 5, state: (i) => 6 + 2 * i }; // arrows below each state
  const xArrow = rows.state(page.states.length) - 1, xRow = xArrow + 1;

  put(rows.loss, 1, make("span", { class: "label" }, "L"));
  put(rows.p, 1, make("span", { class: "label" }, "p"));
  page.states.forEach((name, i) => put(rows.state(i), 1, make("span", { class: "label" }, `${name}, d${name}`)));
  put(xRow, 1, make("span", { class: "label" }, "x"));
  for (let t = -1; t < T; t++) {
    put(rows.head, at(t), make("span", { class: "soft" }, t < 0 ? "before" : `step ${t + 1}`));
    page.states.forEach((name, i) => put(rows.state(i), at(t), stateBox(t, name, i, boxed)));
    if (t >= 0) {
      const arrows = make("span", { class: "row" });
      page.states.forEach((name, i) => {
        const sent = gradientAfter(t - 1, i).future;
        put(rows.state(i), at(t) - 1, make("span", {}, arrow("→", stateAfter(t, i)), make("br"), arrow("←", sent, "future")));
      });
      page.states.slice(1).forEach((name, i) => {
        const made = stateAfter(t, i + 1), sum = gradientAfter(t, i + 1).sum;
        put(rows.state(i + 1) - 1, at(t), make("span", {}, arrow("↑", made), " ", arrow("↓", sum, "above")));
      });
      showOutput(t, at(t), rows, put, boxed);
      put(xArrow, at(t), arrow("↑", stateAfter(t, 0)));
      put(xRow, at(t), boxed(t, "x", make("span", { class: "letter" }, page.text[t])));
    }
  }
  const scroller = make("div", { class: "scroller" }, grid);
  box.replaceChildren(make("h2", {}, `${page.name}, unrolled over ${T} steps`), scroller, legend());
  const current = grid.querySelector(".current"); // on a narrow screen the step may be out of sight
  if (current) scroller.scrollLeft = current.offsetLeft - scroller.offsetLeft - scroller.clientWidth / 2;
}

function stateBox(t, name, i, boxed) {
  const value = stateAfter(t, i), d = gradientAfter(t, i);
  const box = boxed(t, name, ...(value ? column(value, `${name} of step ${t + 1}`) : [make("span", { class: "soft" }, "…")]));
  if (!d.above && !d.future && !d.sum) return box;
  const of = `d${name} of step ${t + 1}`, part = d.sum || d.future;
  const words = d.sum ? make("span", {}, `d${name}`) : make("span", { class: "future-ink" }, `d${name}, future`);
  box.append(make("div", { class: "grad", "data-name": "d" + name + (d.sum ? "" : "_from_future") }, words, ...column(part, of)));
  return box;
}

function showOutput(t, at, rows, put, boxed) {
  const loss = latest("read_out", "loss", t), p = latest("read_out", "p", t), above = latest("read_out_back", "dh", t);
  put(rows.loss, at, boxed(t, "loss", loss ? numeral(loss.value.nodes[0], `loss of step ${t + 1}`) : make("span", { class: "soft" }, "…")));
  put(rows.lossArrow, at, arrow("↑", loss));
  const target = targetOf(t);
  const letters = p
    ? p.value.nodes.map((node, k) => make("div", { class: "row" }, make("span", { class: k === target ? "letter" : "key" }, page.alphabet[k]), numeral(node, `probability of ${page.alphabet[k]}`)))
    : [make("span", { class: "soft" }, "…")];
  put(rows.p, at, boxed(t, "p", ...letters));
  put(rows.pArrow, at, make("span", {}, arrow("↑", p), " ", arrow("↓", above, "above")));
}

const targetOf = (t) => {
  const K = page.alphabet.length, row = state.args.y.d.slice(t * K, (t + 1) * K);
  return row.indexOf(Math.max(...row));
};

const legend = () => make("p", { class: "soft" }, "From below: the input x, the state, the probabilities p of the next letter, the loss L. → ↑ forward.  ", make("span", { class: "above-ink" }, "↓"),
  " gradient from above (the loss of this step, or through h), ", make("span", { class: "future-ink" }, "←"),
  " from the future (all later steps). Bold: the letter that was to be told. A step in brackets above a name: of that step.");
