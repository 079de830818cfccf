// What one cannot see at a single line: the two sources of dh, the sum over time, and what if.

const panel = (id, title) => make("section", { id, class: "card", "aria-label": title });

/** The triangle: for loss t and step k the parts of the gradients, by weight. */
function triangle() {
  if (!page.panels.includes("triangle")) return null;
  if (!engine) return page.triangle.map((row) => row.map(plainMap));
  const { translated, given, result } = execute(state.args, false);
  return translated.contributions(given.cell, given.w, result[1], result[2]).map((row) => row.map((part) => plainMap(numbers.encode(part))));
}

/** An array in JSON with its numbers as numbers. */
const flat = (encoded) => ({ s: encoded.s, d: encoded.d.map((v) => (v === null ? NaN : shown(v))) });
const plainMap = (encoded) => Object.fromEntries(Object.entries(encoded.m).map(([name, value]) => [name, flat(value)]));
const added = (a, b) => ({ s: a.s, d: a.d.map((v, i) => v + b.d[i]) });
const length = (a) => Math.sqrt(a.d.reduce((sum, v) => sum + v * v, 0));

const chosen = { weight: "U", index: 0, entry: "one", truncate: 0, stretches: true, scale: 1 };

// ---- dh = from above + from the future -----------------------------------------------------------------------------

function showSources() {
  const box = byId("sources");
  const t = state.at < state.turn ? null : latestStep(BACK, "dh");
  const content = [make("h2", {}, "dh = dh_from_above + dh_from_future: h was used twice")];
  if (t === null) {
    content.push(make("p", { class: "soft" }, "On the way back, at every step, two gradients arrive at h: one from the loss of that step, one from all later steps. They will be added here."));
    return box.replaceChildren(...content);
  }
  const { above, future, sum } = gradientAfter(t, 0);
  content.push(make("p", {}, `Step ${t + 1} of ${page.steps}` + (t === state.events[state.at].t ? ":" : ", the latest that is known:")), adding("dh", "above", above, future, sum));
  page.states.slice(1).forEach((name, i) => {
    const at = latestStep(page.cellBackward, "d" + name), d = at === null ? {} : gradientAfter(at, i + 1);
    if (!d.sum || !d.future) return;
    const within = { shape: d.sum.shape, nodes: d.sum.nodes.map((node, k) => plain(node.v - d.future.nodes[k].v)) };
    content.push(make("h2", {}, `d${name}: ${name} was used twice too, by step t+1 and within the step, by h`), make("p", {}, `Step ${at + 1} of ${page.steps}:`), adding("d" + name, "within", within, d.future, d.sum));
  });
  box.replaceChildren(...content);
}

/** Two gradients and their sum, as numbers and as bars. */
function adding(name, word, above, future, sum) {
  const most = Math.max(...[above, future, sum].flatMap((one) => one.nodes.map((node) => Math.abs(node.v))), 1e-12);
  const bars = make("div", { class: "bars" });
  sum.nodes.forEach((node, i) => {
    const a = above.nodes[i], f = future.nodes[i];
    bars.append(
      make("span", {}, named(name, [i]), " = ", numeral(a), make("span", { class: "above-ink" }, ` ${word}`), " ", numeral(f), make("span", { class: "future-ink" }, " future")),
      bar([["above", 0, a.v], ["future", a.v, a.v + f.v], ["sum", 0, node.v]], most * 2),
      make("span", {}, "= ", numeral(node)));
  });
  return bars;
}

function latestStep(fn, name) {
  for (let i = state.at; i >= 0; i--) {
    const event = state.events[i];
    if (event.fn.name === fn && name in event.values && event.t !== null) return event.t;
  }
  return null;
}

/** Stretches along a line whose middle is 0, from -most to most. */
function bar(stretches, most) {
  const percent = (v) => 50 + (50 * Math.max(-most, Math.min(most, v))) / most;
  const box = make("div", { class: "bar", "aria-hidden": "true" }, make("b", { style: "left: 50%" }));
  for (const [css, from, to] of stretches) {
    const left = Math.min(percent(from), percent(to)), width = Math.abs(percent(to) - percent(from));
    box.append(make("i", { class: css, style: `left: ${left}%; width: ${width}%` }));
  }
  return box;
}

// ---- dU over time --------------------------------------------------------------------------------------------------

const plainMatrix = (value, of) => matrix({ shape: value.s, nodes: value.d.map(plain) }, of);

function weightChoice(id, onchange) {
  const names = Object.keys(state.triangle[0][0]);
  const select = make("select", { id, onchange: (event) => { chosen.weight = event.target.value; chosen.index = largest(); onchange(); } },
    ...names.map((name) => make("option", { value: name, selected: name === chosen.weight }, name)));
  return make("label", { class: "field" }, "the gradient of", select);
}

/** The entry of the chosen weight whose gradient is largest: there is most to see. */
function largest() {
  const sizes = Array.from({ length: page.steps }, (_, k) => ofStep(k)).reduce(added).d.map(Math.abs);
  return sizes.indexOf(Math.max(...sizes));
}

/** What step k gives to the gradient of the chosen weight: the sum of a column of the triangle. */
function ofStep(k) {
  const { triangle } = state;
  return triangle.slice(k).map((row) => row[k][chosen.weight]).reduce(added);
}

/** da of a step and h of the step before, if what the step gives to dU is their outer product, as in most cells. */
function sidesOf(k, part) {
  const all = state.events.find((event) => event.isCall && event.fn.name === "sums_over_time").values.da;
  const before = k ? state.events.find((event) => event.fn.name === FORWARD && event.t === k - 1 && "columns" in event.values) : null;
  const h = before ? before.values.columns.list[0].nodes : null;
  const [rows, columns] = part.s, T = page.steps;
  const da = Array.from({ length: rows }, (_, i) => all.nodes[i * T + k]);
  const first = state.args.state.q[0].d.map(shown);
  const row = h || first.map(plain);
  const isOuter = part.d.every((v, i) => Math.abs(v - da[Math.floor(i / columns)].v * row[i % columns].v) < 1e-12);
  return isOuter ? { da, row } : null;
}

/** A matrix with the column and the row that it is the product of. */
function outerProduct(part, { da, row }, k) {
  const [rows, columns] = part.s;
  const grid = make("span", { class: "outer", style: `grid-template-columns: repeat(${columns + 2}, auto)` });
  grid.append(make("span"), make("span", { class: "soft" }, named("da", [], k + 1), " ", named("h", [], k), "ᵀ"), ...row.map((node) => edge(node, `h of step ${k}`)));
  for (let i = 0; i < rows; i++) grid.append(make("span", { class: "gate" }, gateAt(part.s, i, "U")), edge(da[i], `da of step ${k + 1}`), ...part.d.slice(i * columns, (i + 1) * columns).map(bare));
  return grid;
}

function edge(node, of) {
  const element = numeral(node, of);
  element.classList.add("edge");
  return element;
}

function showOverTime() {
  const box = byId("over-time"), T = page.steps, name = chosen.weight;
  const done = latestStep(BACK, "d_prev");
  const content = [make("h2", {}, `d${name} is a sum over time: the same ${name} was used at every step`), weightChoice("over-time-weight", refreshPanels)];
  const steps = make("div", { class: "steps" });
  let total = null;
  for (let k = T - 1; k >= 0; k--) {
    const part = ofStep(k), known = done !== null && k >= done;
    if (known) total = total ? added(total, part) : part;
    const sides = name === "U" && known ? sidesOf(k, part) : null;
    const shownPart = !known ? make("span", { class: "soft" }, "…") : sides ? outerProduct(part, sides, k) : plainMatrix(part, name);
    steps.append(make("div", {}, make("div", { class: "soft" }, `step ${k + 1}`), shownPart), make("span", { class: "op" }, k ? "+" : "="));
  }
  steps.append(make("div", {}, make("div", { class: "soft" }, done === 0 ? `d${name}` : "so far"), total ? plainMatrix(total, "d" + name) : make("span", { class: "soft" }, "nothing yet")));
  content.push(steps, make("p", { class: "soft" }, "The walk goes from the last step to the first. minirnn makes the sum after the walk, as one product: the same numbers."
    + (name === "U" && state.args.state.q[0].d.every((v) => v === 0) ? " What step 1 gives is 0, as h before it is 0: U was multiplied by nothing there." : "")));
  box.replaceChildren(...content);
}

// ---- the triangle, and truncation ----------------------------------------------------------------------------------

/** Whether truncation to `chosen.truncate` steps keeps what loss t sends through step k. */
function kept(t, k) {
  const n = chosen.truncate;
  return chosen.stretches ? Math.floor(t / n) === Math.floor(k / n) : t - k < n;
}

function showTriangle() {
  const box = byId("triangle"), T = page.steps, { triangle } = state, name = chosen.weight;
  const size = triangle[0][0][name].d.length;
  const of = (part) => (chosen.entry === "norm" ? length(part) : part.d[chosen.index]);
  const zero = { s: triangle[0][0][name].s, d: new Array(size).fill(0) };
  let full = zero, truncated = zero;
  const table = make("table", { class: "triangle" });
  table.append(make("tr", {}, make("th", {}, "loss \\ step"), ...triangle.map((_, k) => make("th", { scope: "col" }, `step ${k + 1}`))));
  triangle.forEach((row, t) => {
    const line = make("tr", {}, make("th", { scope: "row" }, `L at ${t + 1}`));
    row.forEach((parts, k) => {
      full = added(full, parts[name]);
      if (kept(t, k)) truncated = added(truncated, parts[name]);
      line.append(make("td", { class: kept(t, k) ? "" : "cut", title: kept(t, k) ? "" : "cut off" }, bare(of(parts[name]))));
    });
    table.append(line);
  });
  const lost = { s: full.s, d: full.d.map((v, i) => v - truncated.d[i]) };
  const entry = make("select", { id: "triangle-entry", onchange: (event) => { const v = event.target.value; chosen.entry = v === "norm" ? "norm" : "one"; if (v !== "norm") chosen.index = Number(v); showTriangle(); } },
    make("option", { value: "norm", selected: chosen.entry === "norm" }, "the length ‖·‖"),
    ...zero.d.map((_, i) => make("option", { value: i, selected: chosen.entry !== "norm" && i === chosen.index }, `${name} ${indices(zero.s, i).map((k) => k + 1).join(",")}`)));
  const slider = make("input", { id: "truncate", type: "range", min: 1, max: T, step: 1, value: chosen.truncate, "aria-label": "steps kept" });
  slider.addEventListener("input", () => { chosen.truncate = Number(slider.value); showTriangle(); byId("truncate").focus(); });
  const mode = make("select", { id: "truncate-mode", onchange: (event) => { chosen.stretches = event.target.value === "stretches"; showTriangle(); } },
    make("option", { value: "stretches", selected: chosen.stretches }, "in stretches, as minirnn trains"),
    make("option", { value: "back", selected: !chosen.stretches }, "each loss goes back so far"));
  const result = make("table", { class: "result", id: "truncated" });
  const line = (words, value, id) => make("tr", {}, make("td", {}, words), make("td", { id }, bare(value)));
  result.append(line("all of it", of(full), "triangle-full"), line(`truncated to ${chosen.truncate} step${chosen.truncate > 1 ? "s" : ""}`, of(truncated), "triangle-truncated"), line(chosen.entry === "norm" ? "length of what is cut off" : "what is cut off", of(lost), "triangle-lost"));
  result.dataset.truncated = JSON.stringify(truncated.d);
  box.replaceChildren(
    make("h2", {}, `The triangle: which loss sends how much through which step to d${name}`),
    weightChoice("triangle-weight", refreshPanels), make("label", { class: "field" }, "shown:", entry), table,
    make("p", {}, make("label", { class: "field" }, `truncated to ${chosen.truncate} step${chosen.truncate > 1 ? "s" : ""} `, slider), make("label", { class: "field" }, mode)), result,
    make("p", { class: "soft" }, "All of the triangle adds up to the gradient: entries do, lengths ‖·‖ (the root of the sum of all squares) do not. In stretches, as minirnn trains: the state goes on from one stretch to the next, the gradient does not go back."));
}

// ---- check it ------------------------------------------------------------------------------------------------------

const EPSILON = 1e-5;

/** The arrays that may be changed, by name: weights, inputs, and the state before the first step. */
function arraysOf(args) {
  const found = {};
  for (const [name, value] of Object.entries(args)) {
    if (value.n) Object.assign(found, value.n);
    else if (value.q) value.q.forEach((one, i) => { found[`${name} ${i}`] = one; });
    else if (value.s && name !== "y") found[name] = value;
  }
  return found;
}

function gradientOf(name) {
  const [base, i] = name.split(" ");
  return flat(i === undefined ? state.gradients[base] : state.gradients[base].q[i]);
}

/** The finite difference of L at one number, with the page's own source. */
function difference(name, index) {
  if (!engine) return page.differences[name][index];
  const value = arraysOf(state.args)[name], old = value.d[index];
  const lossAt = (v) => {
    value.d[index] = v;
    const { L } = execute(state.args, false).found;
    return L !== null && L.d ? flat(L).d[0] : L === null ? NaN : shown(L);
  };
  const up = lossAt(old + EPSILON), down = lossAt(old - EPSILON);
  value.d[index] = old;
  return (up - down) / (2 * EPSILON);
}

function showCheck() {
  const box = byId("check"), arrays = arraysOf(state.args);
  if (!(check.name in arrays)) check.name = "U" in arrays ? "U" : Object.keys(arrays)[0];
  const value = arrays[check.name];
  check.index = Math.min(check.index, value.d.length - 1);
  const names = make("select", { id: "check-name", onchange: (event) => { check.name = event.target.value; check.index = 0; showCheck(); } }, ...Object.keys(arrays).map((name) => make("option", { value: name, selected: name === check.name }, name)));
  const entries = make("select", { id: "check-index", onchange: (event) => { check.index = Number(event.target.value); showCheck(); } },
    ...value.d.map((v, i) => make("option", { value: i, selected: i === check.index }, `${check.name} ${indices(value.s, i).map((k) => k + 1).join(",")} = ${format(v)}`)));
  const slope = difference(check.name, check.index), gradient = gradientOf(check.name).d[check.index];
  const off = Math.abs(slope - gradient) / Math.max(1e-8, Math.abs(slope) + Math.abs(gradient));
  const table = make("table", { class: "result" });
  const line = (words, id, v) => make("tr", {}, make("td", {}, words), make("td", {}, make("code", { id }, v)));
  table.append(
    line(`finite difference  (L(w + ε) − L(w − ε)) / 2ε, ε = ${EPSILON}`, "difference", String(slope)),
    line("gradient, by the way back", "gradient", String(gradient)));
  const same = off < 1e-6 || Math.abs(slope - gradient) < 1e-9;
  box.replaceChildren(make("h2", {}, "Check it: change one number a little, and see what L does"), make("label", { class: "field" }, "of", names), make("label", { class: "field" }, "the number", entries), table,
    make("p", { class: "verdict" }, same ? "✓ They agree." : "✗ They differ: at a kink of the activation, or where the numbers are too large for a difference."));
}
const check = { name: "U", index: 0 };

// ---- the scale of U ------------------------------------------------------------------------------------------------

const LONG = 20;

/** How far a change of the state reaches, with U times `scale`, over a text repeated to 20 steps. */
function reaches(scale) {
  if (!engine) return page.reach;
  const args = JSON.parse(JSON.stringify(state.args));
  args.w.n.U.d = args.w.n.U.d.map((v) => v * scale);
  const { x, y } = args, T = x.s[0];
  for (const one of [x, y]) {
    const size = one.d.length / T;
    one.d = Array.from({ length: LONG * size }, (_, i) => one.d[i % one.d.length]);
    one.s = [LONG, ...one.s.slice(1)];
  }
  const { translated, given, result } = execute(args, false);
  return page.states.map((_, i) => flat(numbers.encode(translated.reach(given.cell, given.w, result[1], i))).d);
}

function showScale() {
  const box = byId("scale"), found = reaches(chosen.scale);
  const slider = make("input", { id: "scale-slider", type: "range", min: 0, max: 4, step: 0.1, value: chosen.scale, disabled: !engine, "aria-label": "scale of U" });
  slider.addEventListener("input", () => { chosen.scale = Number(slider.value); showScale(); byId("scale-slider").focus(); });
  const steps = found[0].length, bars = make("div", { class: "bars" });
  const at = [1, 2, 3, 4, 6, 8, 10, 15, 20].filter((n) => n <= steps);
  for (const n of at) {
    const values = found.map((one) => one[steps - n]);
    const log = (v) => (v > 0 ? Math.log10(v) : -12);
    bars.append(make("span", {}, `${n} step${n > 1 ? "s" : ""} back`),
      bar(values.slice(0, 2).map((v, i) => [i ? "future" : "above", 0, log(v)]), 8),
      make("span", {}, ...values.slice(0, 2).flatMap((v, i) => [make("span", { class: i ? "future-ink" : "above-ink" }, page.states[i]), " ", make("code", { class: "reach" }, v.toExponential(2)), " "])));
  }
  const names = page.states.slice(0, 2), each = (words) => names.map(words).join(" and ");
  box.replaceChildren(make("h2", {}, "Vanishing and exploding: a product of Jacobians"),
    make("label", { class: "field" }, `U times ${chosen.scale.toFixed(1)} `, slider),
    make("p", {}, `Nudge ${names.join(" or ")} a little: what part of the nudge is left n steps later?`),
    make("p", { class: "soft" }, `Each number is the size of ${each((s) => `∂${s}_T/∂${s}_{T−n}`)}, the product of the derivatives of n steps: the root mean square of its singular values, 1 if all nudges keep their size. Below 1 gradients vanish with the distance, above 1 they explode. The bars count powers of ten: the middle is 1, the ends are 10⁻⁸ and 10⁸. Where U is large, tanh and σ are nearly flat, and gradients vanish again; without saturation, as in rnn-relu, they explode.`
      + (engine ? ` The text is repeated to ${LONG} steps.` : "")),
    bars);
}

