// How numbers, arrays, equations and source lines look.

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "html") element.innerHTML = value; // only of what minirnn has written into the page itself
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};
const byId = (id) => document.getElementById(id);

/** A number with its sign, to three digits or four. */
function format(v) {
  if (Number.isNaN(v)) return "nan";
  if (!Number.isFinite(v)) return v > 0 ? "+∞" : "−∞";
  if (v === 0) return "0";
  const size = Math.abs(v);
  const digits = size < 0.001 || size >= 10000 ? size.toExponential(1).replace("e-", "e−").replace("e+", "e")
    : Number.isInteger(v) && size < 1000 ? String(size)
    : size.toPrecision(size < 1 ? 3 : 4);
  return (v < 0 ? "−" : "+") + digits;
}

const unfilled = (node) => node.op === "empty" || (node.op === "recorded" && Number.isNaN(node.v));

/** A number that can be clicked. `of` says what it is, for those who cannot see where it stands. */
function numeral(node, of = "") {
  const hidden = quiz.hides(node);
  const text = hidden ? "?" : unfilled(node) ? "·" : format(node.v);
  const sign = hidden ? "hidden" : unfilled(node) || Number.isNaN(node.v) ? "none" : node.v > 0 ? "plus" : node.v < 0 ? "minus" : "zero";
  const title = hidden ? "hidden: see the quiz" : unfilled(node) ? "not filled in yet" : `${of ? of + " = " : ""}${node.v}`;
  const element = make("span", { class: "n " + sign, title, tabindex: "-1", role: "button", "aria-label": `${of} ${text}` }, text);
  element.node = node;
  element.addEventListener("click", () => select(node));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      event.stopPropagation();
      select(node);
    }
  });
  return element;
}

/** A number that the page has made beside the run: it can be seen, and asked for nothing. */
const plain = (v) => ({ v, op: "plain", args: null, label: null });
const bare = (v) => numeral(plain(v));

/** A name with its indices, as a subscript, and above it in brackets the step, if it is another one. */
function named(name, index = [], step = null) {
  const element = make("span", { "data-name": name }, name);
  if (step !== null) element.append(make("sup", { title: step ? `of step ${step}` : "before the first step" }, `(${step})`));
  if (index.length) element.append(make("sub", {}, index.map((i) => i + 1).join(",")));
  return element;
}

/** The letter of the gate whose rows begin at row i of an array, if its rows are those of all gates; else "". */
function gateAt(shape, i, name) {
  const { gates, hidden } = page;
  if (!/^d?(a|W|U|b|wx|gain_\w)$/.test(name) || gates.length < 2 || shape.length > 2 || shape[0] % (gates.length * hidden) || i % hidden) return "";
  return gates[Math.floor(i / hidden)] || "";
}

/** An array as a matrix; one of (T, B, features), with a batch of one, as a row for each time. */
function matrix(value, of = "") {
  const shape = value.shape.filter((size, axis) => size !== 1 || (value.shape.length <= 2 && axis === 0));
  const columns = shape.length >= 2 ? shape[shape.length - 1] : 1;
  const byGate = Boolean(gateAt(value.shape, 0, of));
  const grid = make("span", { class: "matrix", style: `grid-template-columns: repeat(${columns + byGate}, auto)` });
  value.nodes.forEach((node, i) => {
    const gate = gateAt(value.shape, Math.floor(i / columns), of);
    if (byGate && i % columns === 0) grid.append(make("span", { class: "gate" + (gate && i ? " next" : "") }, gate));
    grid.append(numeral(node, `${of} ${indices(value.shape, i).map((k) => k + 1).join(",")}`));
  });
  return grid;
}

/** Any value. */
function view(value, of = "") {
  if (value === null || value === undefined) return make("span", { class: "soft" }, "none");
  if (typeof value !== "object") return make("code", {}, String(value));
  if (value.shape) return matrix(value, of);
  const parts = value.list.map((one, i) => make("span", {}, value.names ? value.names[i] + " " : "", view(one, of)));
  return make("span", { class: "steps" }, ...parts);
}

// ---- where a number comes from -------------------------------------------------------------------------------------

const INFIX = { "+": " + ", "-": " − ", "*": " · ", "/": " / ", ">": " > ", "<": " < ", ">=": " ≥ ", "<=": " ≤ " };
const RANK = { "+": 1, "-": 1, sum: 1, dot: 1, "*": 2, "/": 2, neg: 2, "**": 3 };

/** What numbers are called at an event: by a variable of its function, best by one that stands in its line; else as
 * they were called where they were made, and at which step. */
function namesAt(event) {
  if (!event) return labelled;
  const line = event.fn.lines.find(([no]) => no === event.line);
  const inLine = new Set([...(line ? line[1] : "").matchAll(/data-name="(\w+)"/g)].map((found) => found[1]));
  const known = new Map();
  for (const [name, { value }] of variables(event)) {
    if (!value || !value.shape) continue;
    value.nodes.forEach((node, i) => {
      const before = known.get(node);
      if (!before || inLine.has(name) || !inLine.has(before.name)) known.set(node, { name, index: indices(value.shape, i), step: null });
    });
  }
  return (node) => known.get(node) || labelled(node, event.t);
}

/** What a number was called first; with the step, unless that is `t`. */
function labelled(node, t = null) {
  if (!node.label) return null;
  const { name, index } = called(node.label);
  const first = /^state\[(\d+)\]$/.exec(name);
  if (first) return { name: page.states[first[1]], index, step: 0 };
  const made = node.label.event >= 0 ? state.events[node.label.event].t : null;
  return { name, index, step: made === null || made === t ? null : made + 1 };
}

const isNamed = (node) => Boolean(node.label) || !node.args || !node.args.length;

/** A number within a formula: its name above, its value below. */
function leaf(node, names) {
  if (node.op === "const" && !node.label) return make("span", {}, String(node.v));
  const found = names(node);
  const name = found ? named(found.name, found.index, found.step) : make("span", {}, " ");
  return make("span", { class: "leaf" }, make("span", { class: "of" }, name), numeral(node, found ? found.name : ""));
}

/** The formula that made a number, down to numbers that have a name. */
function formula(node, names, top = true) {
  if ((!top && isNamed(node)) || !node.args || !node.args.length) return leaf(node, names);
  const inner = node.args.map((one) => formula(one, names, false));
  const part = (i) => {
    const rank = node.args[i].label ? 9 : RANK[node.args[i].op] || 9;
    const mine = RANK[node.op] || 0;
    const tight = rank < mine || (rank === mine && i > 0 && (node.op === "-" || node.op === "/"));
    return tight ? make("span", {}, "(", inner[i], ")") : inner[i];
  };
  const span = make("span");
  if (INFIX[node.op]) span.append(part(0), INFIX[node.op], part(1));
  else if (node.op === "neg") span.append("−", part(0));
  else if (node.op === "**") span.append(part(0), " to the power ", part(1));
  else if (node.op === "dot") {
    for (let i = 0; i < inner.length; i += 2) span.append(i ? " + " : "", part(i), " · ", part(i + 1));
  } else if (node.op === "sum") inner.forEach((one, i) => span.append(i ? " + " : "", one));
  else {
    span.append(node.op + "(");
    inner.forEach((one, i) => span.append(i ? ", " : "", one));
    span.append(")");
  }
  return span;
}

/** The named numbers that a number was made from. */
function factors(node, top = true, found = new Set()) {
  if (!top && isNamed(node)) found.add(node);
  else (node.args || []).forEach((one) => factors(one, false, found));
  return found;
}

// ---- equation, source, variables -----------------------------------------------------------------------------------

/** The numbers that a line has computed: by name, in the order of the line. (A number that it only hands on has been
 * computed before, and one that a function it calls has computed has its name from there.) */
function madeAt(event) {
  const isNew = (node, name) => node.args && node.args.length > 0
    && (name === "return" ? !node.label || node.label.event > event.at : node.label.event === event.at && node.label.name === name);
  const found = [];
  const look = (name, value, shownName) => {
    const d = event.fn.name.endsWith("weight_gradients") ? "d" : ""; // there a gradient has the name of its weight
    if (value && value.list) value.list.forEach((one, i) => value.names && look(name, one, d + value.names[i]));
    else if (value && value.shape && value.nodes.some((node) => isNew(node, name))) found.push({ name: shownName, value });
  };
  if (engine && !event.isCall) for (const [name, value] of Object.entries(event.values)) look(name, value, name);
  return found;
}

const SHOWN = 3; // numbers of an array that are worked out; the others by a click

function showEquation(event) {
  const box = byId("equation"), made = madeAt(event), names = namesAt(event);
  const own = event.fn.named[event.line] || [];
  box.replaceChildren(make("h2", {}, "The equation"));
  for (const number of own) {
    box.append(make("div", { class: "equation lit", html: `<span class="soft">${event.fn.file} (${number})</span> ${event.fn.equations[number]}` }));
  }
  if (event.fn.comments[event.line]) box.append(make("p", { class: "soft", html: event.fn.comments[event.line] }));
  if (event.isCall) box.append(make("p", { class: "soft" }, `${event.fn.name} is called: these numbers come in.`));
  else if (!own.length && !made.length) box.append(make("p", { class: "soft" }, engine ? "Nothing is computed here: numbers are handed on." : "No equation has the number of this line."));
  for (const { name, value } of made) {
    value.nodes.slice(0, SHOWN).forEach((node, i) => {
      box.append(make("span", { class: "sum" }, named(name, indices(value.shape, i)), " = ", formula(node, names), " = ", numeral(node, name)));
    });
    if (value.nodes.length > SHOWN) box.append(make("p", { class: "soft" }, `… and so the other ${value.nodes.length - SHOWN} numbers of ${name}: click one below.`));
  }
  if (!engine && own.length) box.append(make("p", { class: "soft" }, "Its numbers are those of the variables below."));
}

function showCode(event) {
  const box = byId("code");
  const fn = event.fn;
  if (box.fn !== fn) {
    box.fn = fn;
    const lines = fn.lines.map(([no, html]) => make("span", { class: "line", "data-line": no, html: `<span class="no">${no}</span>${html}` }));
    box.replaceChildren(
      make("h2", {}, "The source"),
      make("div", { class: "stack" }),
      make("details", { open: showCode.open, ontoggle: (change) => { showCode.open = change.target.open; } },
        make("summary", {}, "the docstring above it"), make("div", { class: "about", html: page.docs[fn.about] })),
      make("div", { id: "listing", tabindex: "0", role: "region", "aria-label": `source of ${fn.name}` }, ...lines),
    );
  }
  const path = event.stack.map((call) => `${call.fn.file}: ${call.fn.name}`);
  box.querySelector(".stack").textContent = path.join(" › ");
  const listing = byId("listing");
  for (const line of listing.children) {
    const lit = Number(line.dataset.line) === event.line;
    line.classList.toggle("lit", lit);
    if (lit) {
      line.setAttribute("aria-current", "step");
      listing.scrollTop = line.offsetTop - listing.offsetTop - listing.clientHeight / 2;
    } else line.removeAttribute("aria-current");
  }
}

function showValues(event) {
  const box = byId("values");
  const all = [...variables(event)].reverse();
  const locals = all.map(([name, { value, at }]) =>
    make("div", { class: "local" + (at === event.at ? " lit" : ""), "data-name": name }, make("span", { class: "of" }, name), view(value, name)));
  box.replaceChildren(make("h2", {}, `The variables of ${event.fn.name}, the latest first`), make("div", { class: "locals" }, ...locals));
}

function showOrigin() {
  const box = byId("origin"), node = state.selected;
  box.hidden = !node;
  if (!node) return;
  const where = node.label && node.label.event >= 0 ? state.events[node.label.event] : null;
  const found = labelled(node);
  const name = found ? named(found.name, found.index, found.step) : "this number";
  box.replaceChildren(make("h2", {}, "Where this number comes from"));
  if (quiz.hides(node)) box.append(make("p", {}, "It is hidden: see the quiz."));
  else if (node.args && node.args.length) {
    box.append(make("span", { class: "sum" }, name, " = ", formula(node, namesAt(where)), " = ", numeral(node)),
      make("p", { class: "soft" }, `exactly ${node.v}. Its parts are framed by dashes wherever they are seen; click one to go further back.`));
  } else if (node.op === "input") box.append(make("p", {}, name, " = ", numeral(node), " was given. "), editorOf(node));
  else if (node.op === "recorded") box.append(make("p", {}, numeral(node), ` was recorded: exactly ${node.v}.`));
  else box.append(make("p", {}, name, " = ", numeral(node), node.op === "empty" ? " is not filled in yet." : " is a constant."));
  const buttons = make("p", {});
  if (state.trail.length) buttons.append(make("button", { onclick: back }, "back"), " ");
  buttons.append(make("button", { onclick: () => select(null) }, "close"));
  if (where) buttons.append(" ", make("button", { onclick: () => go(where.at) }, `go to its line, ${where.fn.file} ${where.line}`));
  box.append(buttons);
}

/** Frame the selected number, and those it was made from, wherever they stand. */
function frame() {
  const parts = state.selected ? factors(state.selected) : new Set();
  for (const element of document.querySelectorAll(".n")) {
    element.classList.toggle("selected", Boolean(state.selected) && element.node === state.selected);
    element.classList.toggle("factor", parts.has(element.node));
  }
}
