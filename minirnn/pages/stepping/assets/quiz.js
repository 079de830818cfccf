// A number is hidden, and to be worked out.

const quiz = {
  node: null,
  verdict: "",
  hides: (node) => node === quiz.node && node !== null,
  /** Hide a number that the line where we are has just made. */
  ask() {
    const event = state.events[state.at];
    const arrays = engine ? madeAt(event).map(({ value }) => value) : Object.values(event.values);
    const good = arrays.filter((value) => value && value.shape).flatMap((value) => value.nodes).filter((node) => node.v !== 0 && Number.isFinite(node.v));
    if (!good.length) {
      quiz.verdict = "This line makes no number to ask for: go on to one with an equation.";
      quiz.node = null;
    } else {
      quiz.node = good[Math.floor(Math.random() * good.length)];
      quiz.verdict = "";
    }
    render();
    if (quiz.node) byId("answer").focus();
  },
  /** Right is what is within 1 %, and what would be written in the same way. */
  answer(text) {
    const given = Number(text.trim().replace("−", "-").replace(",", ".")), v = quiz.node.v;
    const near = (one) => Math.abs(one - v) <= 0.01 * Math.abs(v) || format(one) === format(v);
    if (text.trim() === "" || Number.isNaN(given)) quiz.verdict = "That is no number.";
    else if (near(given)) {
      quiz.verdict = `✓ Right: it is ${format(v)}.`;
      quiz.node = null;
    } else if (near(-given)) quiz.verdict = "✗ Its size is right, and its sign is not.";
    else if (Math.abs(given - v) <= 0.1 * Math.abs(v)) quiz.verdict = "✗ Nearly: it is to be within 1 %, so give one digit more.";
    else quiz.verdict = `✗ Not this: it is ${Math.abs(given) < Math.abs(v) ? "larger" : "smaller"}${given * v < 0 ? ", and has the other sign" : " in size"}.`;
    render();
  },
  close() {
    quiz.node = null;
    quiz.verdict = "";
    render();
  },
  show() {
    const box = byId("quiz");
    const content = [make("h2", {}, "Quiz: hide a number of this line, and work it out")];
    if (quiz.node) {
      const event = state.events[state.at];
      const names = namesAt(event), found = names(quiz.node) || { name: "it", index: [] };
      const input = make("input", { id: "answer", type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": "your answer" });
      input.addEventListener("keydown", (key) => { if (key.key === "Enter") quiz.answer(input.value); });
      const hint = quiz.node.args && quiz.node.args.length ? make("span", { class: "sum" }, named(found.name, found.index, found.step), " = ", formula(quiz.node, names), " = ?") : make("p", {}, `Line ${event.line}: which number is hidden?`);
      content.push(hint, input, " ", make("button", { id: "answer-button", onclick: () => quiz.answer(input.value) }, "is it this?"), " ",
        make("button", { id: "give-up", onclick: () => { quiz.verdict = `It was ${format(quiz.node.v)}, exactly ${quiz.node.v}.`; quiz.node = null; render(); } }, "show it"));
    } else content.push(make("button", { id: "ask", onclick: () => quiz.ask() }, "hide a number"));
    content.push(make("p", { class: "verdict", id: "verdict", role: "status" }, quiz.verdict));
    box.replaceChildren(...content);
  },
};
