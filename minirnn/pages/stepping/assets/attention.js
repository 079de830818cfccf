// Attention: a row for each step, a column for each source position.

/** A table of the weights, and below it where the gradients of the scores are known. */
function showLooks(event) {
  const box = byId("picture"), S = page.text.length;
  const table = (title, fn, name, sign) => {
    const grid = make("table", { class: "triangle", "data-name": name });
    grid.append(make("tr", {}, make("th", {}, title), ...page.text.map((letter) => make("th", { scope: "col" }, make("span", { class: "letter" }, letter)))));
    for (let t = 0; t < page.steps; t++) {
      const found = latest(fn, name, t);
      const cells = found ? found.value.nodes.map((node, s) => make("td", { class: "shade", style: shade(node.v, sign) }, numeral(node, `${name} of position ${s + 1}`))) : page.text.map(() => make("td", {}, "…"));
      grid.append(make("tr", { class: t === event.t ? "current-row" : "" }, make("th", { scope: "row" }, `step ${t + 1}`), ...cells));
    }
    return grid;
  };
  const losses = make("p", {}, "L at each step: ");
  for (let t = 0; t < page.steps; t++) {
    const loss = latest("look", "loss", t);
    losses.append(`${t + 1}: `, loss ? numeral(loss.value.nodes[0], `loss of step ${t + 1}`) : "…", "  ");
  }
  box.replaceChildren(
    make("h2", {}, `${page.steps} looks at ${S} positions`),
    make("p", { class: "soft" }, "The weights α: how much each step looks at each position. Each row sums to 1."), table("α", "look", "alpha", 1), losses,
    make("p", { class: "soft" }, "The way back: dα, how much the loss would change with each weight, and de, with each score. Each row of de sums to 0: what one position gains, others lose."),
    table("dα", "look_back", "d_alpha", 0), make("p"), table("de", "look_back", "de", 0));
}

const shade = (v, sign) => (sign && v > 0 ? `background: color-mix(in srgb, var(--plus) ${Math.round(35 * v)}%, transparent)` : "");

/** The two roads on which the gradient comes back to v_s. */
function showRoads() {
  const box = byId("roads");
  const values = lastOf("attend", "d_values"), total = lastOf("attend", "d_memory");
  const content = [make("h2", {}, "dv = as a value + as a key: v_s was used twice")];
  if (!values || state.at < state.turn) content.push(make("p", { class: "soft" }, "On the way back, two gradients arrive at v_s: it was averaged into the context, and its key was compared with the query. They will be added here."));
  else {
    const part = make("div", { class: "steps" });
    part.append(make("div", {}, make("div", { class: "above-ink" }, "as a value, so far"), matrix(values, "d_values")), make("span", { class: "op" }, "+"));
    if (total) {
      const key = { shape: total.shape, nodes: total.nodes.map((node, i) => plain(node.v - values.nodes[i].v)) };
      part.append(make("div", {}, make("div", { class: "future-ink" }, "as a key"), matrix(key, "")), make("span", { class: "op" }, "="), make("div", {}, make("div", {}, "dv"), matrix(total, "d_memory")));
    } else part.append(make("span", { class: "soft" }, "as a key: after the last step, by way of W"));
    content.push(part);
  }
  box.replaceChildren(...content);
}

/** The latest value of a name in a function up to now, whatever the step. */
function lastOf(fn, name) {
  for (let i = state.at; i >= 0; i--) {
    const event = state.events[i];
    if (event.fn.name === fn && name in event.values) return event.values[name];
  }
  return null;
}
