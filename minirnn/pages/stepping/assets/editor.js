// Numbers that a reader may change.

function put(name, index, text) {
  const v = Number(text.replace("−", "-").replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(v)) return false;
  arraysOf(state.args)[name].d[index] = v;
  state.edited = true;
  recompute();
  return true;
}

/** A field for a number that was given. */
function editorOf(node) {
  const { name, index } = node.label;
  const array = name.replace(/^(\w+)\[(\d+)\]$/, "$1 $2");
  return array in arraysOf(state.args) ? make("label", { class: "field" }, "change it to", field(array, index)) : "";
}

function field(name, index) {
  const value = arraysOf(state.args)[name].d[index];
  const original = arraysOf(page.args)[name].d[index];
  const input = make("input", { type: "text", inputmode: "decimal", class: value === original ? "" : "changed", value: String(value), "aria-label": `${name} ${indices(arraysOf(state.args)[name].s, index).map((k) => k + 1).join(",")}`, "data-of": `${name} ${index}` });
  input.addEventListener("change", () => {
    const typed = input.value;
    if (!put(name, index, typed)) {
      input.value = String(arraysOf(state.args)[name].d[index]);
      byId("editor-says").textContent = `“${typed}” is no number: it stays as it was.`;
    }
  });
  return input;
}

function showEditor() {
  const box = byId("editor");
  const content = [make("h2", {}, "Change numbers, and everything follows")];
  if (!engine) {
    content.push(make("p", {}, `The numbers of this cell can be looked at, but not changed: ${page.why}.`));
    return box.replaceChildren(...content);
  }
  const arrays = make("div", { class: "editor" });
  for (const [name, value] of Object.entries(arraysOf(state.args))) {
    const shape = value.s.filter((size, axis) => size !== 1 || axis === 0);
    const columns = shape.length > 1 ? shape[shape.length - 1] : value.d.length % page.hidden ? value.d.length : page.hidden;
    const byGate = shape.length > 1 && Boolean(gateAt(value.s, 0, name));
    const grid = make("div", { class: "grid", style: `grid-template-columns: repeat(${columns + byGate}, auto)` }, ...letters(name));
    value.d.forEach((_, i) => {
      if (byGate && i % columns === 0) grid.append(make("span", { class: "gate" }, gateAt(value.s, i / columns, name)));
      grid.append(field(name, i));
    });
    arrays.append(make("div", {}, make("div", { "data-name": name }, heading(name)), grid));
  }
  if (state.args.y) content.push(targets());
  content.push(arrays, make("p", {}, make("button", { id: "reset", onclick: reset }, "as recorded"), " ", make("span", { id: "editor-says", role: "status" })));
  box.replaceChildren(...content);
}

/** Above the columns of x the letters that they stand for. */
const letters = (name) => (name === "x" ? page.alphabet.map((letter) => make("span", { class: "soft" }, letter)) : []);

/** What an array is called above its fields: "state 0" is h_0. */
function heading(name) {
  const [, i] = name.split(" ");
  if (i !== undefined) return make("span", {}, page.states[i], make("sub", {}, "0"), ", before the first step");
  return name + (/^(x|queries|memory)$/.test(name) ? ", a row for each " + (name === "memory" ? "position" : "step") : "");
}

function targets() {
  const K = page.alphabet.length;
  const choices = Array.from({ length: page.steps }, (_, t) => {
    const select = make("select", { "aria-label": `target of step ${t + 1}`, id: `target-${t}` }, ...page.alphabet.map((letter, k) => make("option", { value: k, selected: k === targetOf(t) }, letter)));
    select.addEventListener("change", () => {
      for (let k = 0; k < K; k++) state.args.y.d[t * K + k] = k === Number(select.value) ? 1 : 0;
      state.edited = true;
      recompute();
    });
    return select;
  });
  return make("p", {}, "Targets, step by step: ", ...choices.flatMap((one) => [one, " "]));
}

function reset() {
  state.args = JSON.parse(JSON.stringify(page.args));
  state.edited = false;
  recompute();
}

