// A number is hidden, and to be worked out.

const quiz = {
  node: null,
  verdict: "",
  hides: (node) => node === quiz.node && node !== null,
  /** Hide a number that the line where we are has just made. */
  ask() {
    const event = state.events[state.at];
    const made = Object.values(event.values).filter((value) => value && value.shape).flatMap((value) => value.nodes);
    const good = made.filter((node) => node.v !== 0 && Number.isFinite(node.v) && (!engine || (node.args && node.args.length && node.label.event === event.at)));
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
  /** Right within 1 %, or in the third digit after the point. */
  answer(text) {
    const given = Number(text.trim().replace("−", "-").replace(",", "."));
    const v = quiz.node.v;
    if (text.trim() === "" || Number.isNaN(given)) quiz.verdict = "That is no number.";
    else if (Math.abs(given - v) <= Math.max(0.01 * Math.abs(v), Math.abs(v) < 0.05 ? 0 : 0.0005)) {
      quiz.verdict = `✓ Right: it is ${format(v)}.`;
      quiz.node = null;
    } else if (Math.abs(given + v) <= 0.01 * Math.abs(v)) quiz.verdict = "✗ Its size is right, and its sign is not.";
    else quiz.verdict = "✗ Not this.";
    render();
  },
  show() {
    const box = byId("quiz");
    const content = [make("h2", {}, "Quiz: hide a number of this line, and work it out")];
    if (quiz.node) {
      const event = state.events[state.at];
      const label = quiz.node.label ? called(quiz.node.label) : { name: "it", index: [] };
      const input = make("input", { id: "answer", type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": "your answer" });
      input.addEventListener("keydown", (key) => { if (key.key === "Enter") quiz.answer(input.value); });
      const hint = quiz.node.args && quiz.node.args.length ? make("span", { class: "sum" }, named(label.name, label.index), " = ", formula(quiz.node), " = ?") : make("p", {}, `Line ${event.line}: which number is hidden?`);
      content.push(hint, input, " ", make("button", { id: "answer-button", onclick: () => quiz.answer(input.value) }, "is it this?"), " ",
        make("button", { id: "give-up", onclick: () => { quiz.verdict = `It was ${format(quiz.node.v)}, exactly ${quiz.node.v}.`; quiz.node = null; render(); } }, "show it"));
    } else content.push(make("button", { id: "ask", onclick: () => quiz.ask() }, "hide a number"));
    content.push(make("p", { class: "verdict", id: "verdict", role: "status" }, quiz.verdict));
    box.replaceChildren(...content);
  },
};
