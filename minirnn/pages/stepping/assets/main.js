// Going through the run: buttons, keys, the scrubber, and the place in the address.

const controls = {};
const KEYS = [["→", "next line,"], ["←", "last line; with shift: step of time;"], ["e", "next equation,"], ["b", "way back,"], ["Home", ""], ["End", ";"],
  ["n", "next number,"], ["Enter", "where it comes from,"], ["Esc", "close,"], ["q", "quiz"]];

function build() {
  const button = (text, title, action) => make("button", { title, onclick: action }, text);
  controls.scrubber = make("input", { id: "scrubber", type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "the place in the run" });
  controls.scrubber.addEventListener("input", () => go(Number(controls.scrubber.value)));
  controls.place = make("span", { id: "place", role: "status" });
  byId("controls").append(
    button("|◀ start", "to the beginning (Home)", () => go(0)),
    button("◀ step", "a step of time back (Shift + ←)", () => go(stepFrom(-1))),
    button("◀ line", "a line back (←)", () => go(state.at - 1)),
    button("equation ▶", "the next line with an equation (e)", () => go(equationFrom(1))),
    button("line ▶", "the next line (→)", () => go(state.at + 1)),
    button("step ▶", "the next step of time (Shift + →)", () => go(stepFrom(1))),
    button("way back ▶▶", "to where the way back begins (b)", () => go(state.turn)),
    button("all ▶|", "all at once (End)", () => go(state.events.length - 1)),
    controls.scrubber, controls.place);
  const beside = ["sources", "roads", "quiz"]; // what goes with the place stands below the picture
  for (const id of page.panels) byId(beside.includes(id) ? "left" : "panels").append(panel(id, titles[id]));
  for (const id of ["over-time", "editor"]) if (byId(id)) byId(id).classList.add("wide");
  document.addEventListener("keydown", keyed);
  window.addEventListener("hashchange", () => go(placeInAddress(), true));
  document.addEventListener("mouseover", (event) => light(event.target.closest && event.target.closest("[data-name]")));
  document.addEventListener("focusin", (event) => light(event.target.closest && event.target.closest("[data-name]")));
}

/** The place of the next or the last line that has an equation and its numbers. */
function equationFrom(direction) {
  for (let at = state.at + direction; at >= 0 && at < state.events.length; at += direction) {
    const { fn, line, isCall } = state.events[at];
    if (fn.named[line] && !isCall) return at;
  }
  return direction > 0 ? state.events.length - 1 : 0;
}

/** The place of the next or the last step of time. */
function stepFrom(direction) {
  const marks = [0, ...state.steps, state.turn, state.events.length - 1].sort((a, b) => a - b);
  const further = direction > 0 ? marks.find((at) => at > state.at) : marks.filter((at) => at < state.at).pop();
  return further === undefined ? state.at : further;
}

function keyed(event) {
  const { tagName, type, id } = event.target;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") {
    if (quiz.node) quiz.close();
    select(null);
    return;
  }
  const slides = type === "range" && id !== "scrubber"; // it has arrows of its own; the scrubber moves as the keys do
  if (/^(SELECT|TEXTAREA)$/.test(tagName) || (tagName === "INPUT" && type !== "range")) return;
  if ((slides || id === "listing") && /Arrow|Home|End/.test(event.key)) return;
  const actions = {
    ArrowRight: () => go(event.shiftKey ? stepFrom(1) : state.at + 1),
    ArrowLeft: () => go(event.shiftKey ? stepFrom(-1) : state.at - 1),
    Home: () => go(0),
    End: () => go(state.events.length - 1),
    e: () => go(equationFrom(1)),
    E: () => go(equationFrom(-1)),
    b: () => go(state.turn),
    q: () => quiz.ask(),
    n: () => nextNumber(1),
    p: () => nextNumber(-1),
    Backspace: () => back(),
  };
  if (event.key in actions) {
    event.preventDefault();
    actions[event.key]();
  }
}

/** The keyboard's way to a number: the next of those that this line made, and then its parts. */
function nextNumber(direction) {
  const all = ["#values .local.lit .n", "#equation .n", "#origin .n"].flatMap((one) => [...document.querySelectorAll(one)]);
  if (!all.length) return;
  const i = all.indexOf(document.activeElement);
  all[(i + direction + all.length) % all.length].focus();
}

const placeInAddress = () => {
  const found = /^#line=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : 0;
};

function go(at, fromAddress = false) {
  state.at = Math.max(0, Math.min(state.events.length - 1, at));
  if (quiz.node) quiz.verdict = "";
  quiz.node = null;
  if (!fromAddress || placeInAddress() !== state.at) {
    clearTimeout(go.later); // who holds a key down is past a hundred places in a second, and browsers refuse as many
    go.later = setTimeout(() => history.replaceState(null, "", `#line=${state.at}`), 150);
  }
  render();
}

/** Look at a number; null: at none. */
function select(node) {
  if (node && node.op === "plain") return;
  if (state.selected && node && node !== state.selected) state.trail.push(state.selected);
  if (!node) state.trail = [];
  state.selected = node;
  showOrigin();
  frame();
}

function back() {
  state.selected = state.trail.pop() || null;
  showOrigin();
  frame();
}

/** Light up a quantity wherever it stands: in the equation, the source, the variables and the picture. */
function light(element) {
  const name = element ? element.dataset.name : null;
  if (name === light.last) return;
  light.last = name;
  for (const one of document.querySelectorAll(".same")) one.classList.remove("same");
  if (!name) return;
  const t = state.events[state.at].t;
  const [base, step] = name.endsWith("_prev") ? [name.slice(0, -5), t - 1] : [name, t];
  for (const one of document.querySelectorAll("[data-name]")) {
    const inPicture = one.closest("#picture");
    const box = inPicture && (one.closest("[data-t]") || one);
    const here = inPicture ? one.dataset.name === base && (t === null || Number(box.dataset.t) === step) : one.dataset.name === name;
    one.classList.toggle("same", here);
  }
}

function say(text) {
  controls.place.textContent = text;
}

function render() {
  const event = state.events[state.at];
  const way = isBackward(event) ? "way back" : "way forward";
  const step = event.t === null ? "" : `, step ${event.t + 1} of ${page.steps} (t = ${event.t})`;
  controls.scrubber.max = state.events.length - 1;
  controls.scrubber.value = state.at;
  controls.scrubber.setAttribute("aria-valuetext", `line ${state.at + 1} of ${state.events.length}, ${way}${step}`);
  controls.place.replaceChildren(`line ${state.at + 1} of ${state.events.length}, ${way}${step}: ${event.fn.file} ${event.line}. `,
    make("span", { class: "long" }, ...KEYS.flatMap(([key, words]) => [make("kbd", {}, key), ` ${words} `])),
    make("span", { class: "short" }, "Touch a number to see where it comes from."));
  pictures[page.lesson](event);
  showEquation(event);
  showCode(event);
  showValues(event);
  showOrigin();
  for (const id of page.panels) if (atPlace[id]) atPlace[id]();
  frame();
}

const titles = { sources: "The two sources of dh", roads: "The two roads to v", quiz: "Quiz", "over-time": "The sum over time",
  triangle: "The triangle, and truncation", check: "Check it", scale: "Vanishing and exploding", editor: "Change numbers" };

/** What each lesson shows, and which panels change with the place or with the numbers. */
const pictures = { recurrent: showUnrolled, attention: showLooks };
const atPlace = { sources: showSources, "over-time": showOverTime, roads: showRoads, quiz: () => quiz.show() };
const ofNumbers = { "over-time": showOverTime, triangle: showTriangle, check: showCheck, scale: showScale, editor: showEditor };

/** What depends on the numbers, and not on the place. */
function refreshPanels() {
  for (const id of page.panels) if (ofNumbers[id]) ofNumbers[id]();
}

function recompute() {
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.of : null;
  try {
    run();
  } catch (error) {
    say(`This cannot be computed: ${error.message}`);
    return;
  }
  landmarks();
  state.selected = null;
  state.trail = [];
  state.triangle = triangle();
  if (state.triangle && !state.edited) chosen.index = largest();
  state.at = Math.min(state.at, state.events.length - 1);
  showBadge();
  render();
  refreshPanels();
  const again = focused && document.querySelector(`[data-of="${focused}"]`);
  if (again) again.focus();
}

function showBadge() {
  const badge = byId("badge");
  if (!engine) {
    badge.textContent = `Recorded numbers, of a run of minirnn. This cell's source is not computed here: ${page.why}.`;
    return;
  }
  if (!state.edited) state.agreed = agreement();
  const { worst, count, why } = state.agreed;
  const agrees = worst <= 1e-9;
  badge.classList.toggle("bad", !agrees);
  badge.dataset.worst = worst;
  badge.textContent = (agrees
    ? `✓ This page computes with minirnn's own source, translated: its ${count} numbers are those of the recorded run, which stand here with ${page.digits} digits (greatest difference ${worst.toExponential(1)}).`
    : `✗ What this page computes is not what minirnn has recorded: ${why || `they differ by ${worst.toExponential(1)}`}.`)
    + (state.edited ? " You have changed numbers since: all that is seen is computed from yours." : "");
}

build();
chosen.truncate = page.steps;
state.args = JSON.parse(JSON.stringify(page.args));
state.at = placeInAddress();
recompute();
