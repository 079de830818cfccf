// What happened, and what is known at a place in it: events of the run, one for each line that was executed.

const page = JSON.parse(document.getElementById("data").textContent);
const functions = new Map(page.functions.map((one) => [`${one.module}:${one.name}`, one]));

/** A number with where it came from: {v, op, args, label}. Recorded numbers know only their value. */
const recordedNode = (v) => ({ v, op: "recorded", args: null, label: null });

/** A recorded value as what the views show: {shape, nodes}, a list of such, or a number. */
function shown(value) {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") {
    if (value.startsWith("#")) return shown(page.arrays[Number(value.slice(1))]);
    return value === "inf" ? Infinity : -Infinity;
  }
  if (value.s) return { shape: value.s, nodes: value.d.map((v) => recordedNode(v === null ? NaN : shown(v))) };
  if (value.q) return { list: value.q.map(shown) };
  return { list: Object.values(value.m).map(shown), names: Object.keys(value.m) };
}

/** The same of a value that this page has computed. */
function computed(value) {
  if (typeof value !== "object") return value;
  if (value.q) return { list: value.q.map(computed) };
  if (value.m) return { list: Object.values(value.m).map(computed), names: Object.keys(value.m) };
  return { shape: [...value.shape], nodes: value.nodes };
}

/** The recorded events, unpacked: each names its function by the number that it has on the page. */
const recorded = () => page.events.map(([fn, line, depth, values]) => (
  { module: page.functions[fn].module, function: page.functions[fn].name, line, depth, values }));

/** The events in one form, each knowing the calls that it happened in. */
function arranged(events, convert) {
  const calls = [];
  const found = events.map((event, at) => {
    const fn = functions.get(`${event.module}:${event.function}`);
    const isCall = event.line === fn.lines[0][0];
    calls.length = Math.min(calls.length, isCall ? event.depth - 1 : event.depth);
    if (isCall) calls.push({ fn, start: at, t: null });
    const values = {};
    for (const [name, value] of Object.entries(event.values)) values[name] = convert(value);
    return { at, fn, line: event.line, t: null, values, call: calls[calls.length - 1], stack: [...calls], isCall };
  });
  setTimes(found);
  return found;
}

/** The step of time of every event: the t of the innermost loop over time that it happened in. */
function setTimes(events) {
  const lines = new Map(); // of each call, from the last event on, the line that it is at
  for (const event of [...events].reverse()) {
    lines.set(event.call, event.line);
    event.lines = event.stack.map((call) => lines.get(call));
  }
  for (const event of events) {
    if ("t" in event.values) event.call.t = event.values.t;
    for (const [i, call] of event.stack.entries()) {
      if (call.fn.loops.some(([first, last]) => first <= event.lines[i] && event.lines[i] <= last)) event.t = call.t;
    }
  }
}

/** What is looked at: the arguments, the page's own or changed ones; the events; the place among them. */
const state = { args: page.args, events: [], at: 0, turn: 0, steps: [], selected: null, trail: [], edited: false };

/** The source in JavaScript, if it could be translated. */
const engine = typeof program === "function" ? program : null;

/** Call the translated source, with or without the events. */
function execute(args, record) {
  const recorder = numbers.recorder({ record }), { functions: translated, objects } = engine(recorder);
  const given = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, numbers.decode(value, name, objects)]));
  const entry = translated[page.entry];
  const result = entry(...entry.params.map((name) => given[name]));
  const list = Array.isArray(result) ? result : [result];
  return { translated, given, events: recorder.events, result: list, found: numbers.encode(list[0]).m };
}

/** Run everything again, if the page can; else show what was recorded. */
function run() {
  const ran = engine && execute(state.args, true);
  state.ran = ran;
  state.events = arranged(ran ? ran.events : recorded(), ran ? computed : shown);
  state.gradients = ran ? ran.found.gradients.m : page.gradients.m;
}

/** How far the numbers of this page are from the recorded ones: the greatest difference, and how many were compared. */
function agreement() {
  const before = arranged(recorded(), shown);
  let worst = 0, count = 0;
  const compare = (a, b) => {
    if (typeof a === "number" || typeof a === "boolean") return number(a, b);
    if (a.list) {
      if (!b.list || a.list.length !== b.list.length) throw new Error("not the same values");
      return a.list.forEach((one, i) => compare(one, b.list[i]));
    }
    if (String(a.shape) !== String(b.shape)) throw new Error("not the same shapes");
    a.nodes.forEach((node, i) => number(node.v, b.nodes[i].v));
  };
  const number = (a, b) => {
    count += 1;
    if (Number.isNaN(a) && Number.isNaN(b)) return;
    if (a === b) return;
    const off = Math.abs(a - b);
    worst = Number.isNaN(off) ? Infinity : Math.max(worst, off / Math.max(1, Math.abs(a)));
  };
  try {
    if (before.length !== state.events.length) throw new Error("not the same lines");
    before.forEach((one, i) => {
      const other = state.events[i];
      if (one.line !== other.line || one.fn !== other.fn || one.t !== other.t) throw new Error("not the same lines");
      if (String(Object.keys(one.values)) !== String(Object.keys(other.values))) throw new Error("not the same names");
      for (const [name, value] of Object.entries(one.values)) compare(value, other.values[name]);
    });
  } catch (error) {
    return { worst: Infinity, count, why: error.message };
  }
  return { worst, count };
}

/** The variables of the call that an event belongs to, as they are after it: name -> {value, at}. */
function variables(event) {
  const found = new Map();
  for (let i = event.call.start; i <= event.at; i++) {
    const one = state.events[i];
    if (one.call !== event.call) continue;
    for (const [name, value] of Object.entries(one.values)) {
      if (name === "_") continue; // what nobody wants to know
      found.delete(name); // the latest stands last
      found.set(name, { value, at: i });
    }
  }
  return found;
}

const isBackward = (event) => event.at >= state.turn;

/** Where every step of time begins, forward and backward, and where all begins and ends. */
function landmarks() {
  state.turn = state.events.findIndex((event) => page.back.includes(event.fn.name));
  if (state.turn < 0) state.turn = state.events.length;
  state.steps = state.events.filter((event) => "t" in event.values).map((event) => event.at);
}

/** The latest value of a name in a function up to now, for a step t (null: outside the loop). */
function latest(fn, name, t) {
  for (let i = state.at; i >= 0; i--) {
    const event = state.events[i];
    if (event.fn.name === fn && event.t === t && name in event.values) return { value: event.values[name], at: i };
  }
  return null;
}

/** The indices of element `flat` of an array, without axes of length 1 and the time. */
function indices(shape, flat) {
  const found = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1) found.unshift(flat % shape[axis]);
    flat = Math.floor(flat / shape[axis]);
  }
  return found;
}

/** What a node is called: a name with indices. */
function called(label) {
  const shape = shapeOf(label);
  return { name: label.name, index: shape ? indices(shape, label.index) : [label.index] };
}

/** The shape of the array that a label is about. In the name of one within a list stands where: "columns[1]". */
function shapeOf(label) {
  const [name, ...path] = label.name.split(/[[\]"]+/).filter((part) => part !== "");
  if (label.event < 0) {
    const spaces = Object.values(state.args).filter((one) => one.n && name in one.n);
    let value = name in state.args ? state.args[name] : spaces.length ? spaces[0].n[name] : null;
    for (const part of path) value = value && (value.q ? value.q[part] : value.m && value.m[part]);
    return value && value.s;
  }
  let value = state.events[label.event] && state.events[label.event].values[name];
  for (const part of path) value = value && value.list && value.list[value.names ? value.names.indexOf(part) : part];
  return value && value.shape;
}
