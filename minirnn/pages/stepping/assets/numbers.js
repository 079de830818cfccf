// Arrays that remember where every number came from, and the words of Python that translated cells need.
//
// An array is a view (offset, shape, strides) on a buffer, as in NumPy, so that a slice or a reshaped view shares its
// numbers with what it was taken from. The buffer holds nodes, not bare numbers: {v, op, args, label}, with the value,
// the operation that made it, the nodes it was made from, and the first name it was seen under. Views and copies hand
// the node itself on, whereas each operation makes new ones: so a node stands for one computed number.
//
// What operations give lies in the buffer with the last axis fastest. (NumPy lets it lie as its operands do. That shows
// only where such a result of transposed operands is reshaped, and the result or the reshaped is then changed in place.)
"use strict";
const numbers = (() => {
  // ---------------------------------------------------------------------------------------------- nodes and views

  const NO_ARGS = Object.freeze([]);
  const node = (v, op, args = NO_ARGS) => ({v, op, args, label: null});
  const isNumber = (x) => typeof x === "number" || typeof x === "boolean";
  const isPlain = (x) => x !== null && typeof x === "object" && Object.getPrototypeOf(x) === Object.prototype;
  const last = (list) => list[list.length - 1];
  const words = (shape) => "(" + shape.join(", ") + (shape.length === 1 ? ",)" : ")");
  const sizeOf = (shape) => shape.reduce((n, m) => n * m, 1);
  const fail = (kind, message) => {
    const error = new Error(message);
    error.name = kind;
    throw error;
  };

  /** The strides of an array of that shape without gaps, in elements: the last axis runs fastest. */
  function contiguous(shape) {
    const strides = new Array(shape.length);
    for (let axis = shape.length - 1, step = 1; axis >= 0; axis--) {
      strides[axis] = step;
      step *= shape[axis];
    }
    return strides;
  }

  /** Where in the buffer the elements lie, the last axis fastest. */
  function places(shape, strides, offset) {
    let found = [offset];
    for (let axis = 0; axis < shape.length; axis++) {
      const next = [];
      for (const start of found) for (let i = 0; i < shape[axis]; i++) next.push(start + i * strides[axis]);
      found = next;
    }
    return found;
  }

  class Arr {
    constructor(buffer, shape, strides = contiguous(shape), offset = 0, dtype = "float64") {
      Object.assign(this, {buffer, shape, strides, offset, dtype});
    }
    get ndim() { return this.shape.length; }
    get size() { return sizeOf(this.shape); }
    get T() { return transpose(this); }
    /** The nodes of all elements, the last axis fastest. */
    get nodes() { return places(this.shape, this.strides, this.offset).map((place) => this.buffer[place]); }
    get values() { return this.nodes.map((n) => n.v); }
    *[Symbol.iterator]() { for (let i = 0; i < len(this); i++) yield get(this, i); }
  }

  const view = (a, shape, strides, offset = a.offset) => new Arr(a.buffer, shape, strides, offset, a.dtype);
  const made = (nodes, shape, dtype = "float64") => new Arr(nodes, shape, contiguous(shape), 0, dtype);
  const copied = (a, dtype = a.dtype) => made(a.nodes, a.shape, dtype);
  const filled = (shape, v, op = "const", dtype = "float64") =>
    made(Array.from({length: sizeOf(shape)}, () => node(v, op)), shape, dtype);

  /** Any number, array, or nested list of them, as an array. */
  function asArray(x) {
    if (x instanceof Arr) return x;
    if (typeof x === "boolean") return made([node(Number(x), "const")], [], "bool");
    if (typeof x === "number") return made([node(x, "const")], []);
    if (Array.isArray(x)) return x.length ? stack(x) : made([], [0]);
    return fail("TypeError", `expected a number or an array, not ${described(x)}`);
  }

  function described(x) {
    if (x === undefined) return "a name without a value";
    if (x === null) return "None";
    return typeof x === "object" ? x.constructor?.name ?? "an object" : `a ${typeof x}`;
  }

  // --------------------------------------------------------------------------------------------------- elementwise

  /** The shape that arrays of these shapes have together. */
  function broadcast(...shapes) {
    const result = new Array(Math.max(...shapes.map((s) => s.length))).fill(1);
    for (const shape of shapes) {
      const lead = result.length - shape.length;
      shape.forEach((n, axis) => {
        if (n === 1 || n === result[lead + axis]) return;
        if (result[lead + axis] !== 1) {
          fail("ValueError", `the shapes ${shapes.map(words).join(" and ")} do not go together`);
        }
        result[lead + axis] = n;
      });
    }
    return result;
  }

  /** `a` as a view of a larger shape: where it has one element along an axis, or no such axis, it stands still. */
  function stretched(a, shape) {
    const lead = shape.length - a.ndim;
    const fits = lead >= 0 && a.shape.every((n, axis) => n === shape[lead + axis] || n === 1);
    if (!fits) fail("ValueError", `the shape ${words(a.shape)} does not fit into ${words(shape)}`);
    const strides = shape.map((n, axis) => (axis < lead || a.shape[axis - lead] === 1 ? 0 : a.strides[axis - lead]));
    return view(a, [...shape], strides);
  }

  /** `compute` of the elements of arrays, each result a node `op` of the nodes it was made from. */
  function elementwise(op, compute, dtype, ...operands) {
    const arrays = operands.map(asArray), shape = broadcast(...arrays.map((a) => a.shape));
    const columns = arrays.map((a) => stretched(a, shape).nodes);
    const nodes = columns[0].map((_, i) => {
      const args = columns.map((column) => column[i]);
      return node(Number(compute(...args.map((n) => n.v))), op, args);
    });
    return made(nodes, shape, dtype);
  }

  const wholes = new Set(["+", "-", "*", "//", "%", "max", "min"]);
  const isWhole = (x) => (x instanceof Arr ? x.dtype !== "float64" : typeof x === "boolean" || Number.isInteger(x));
  const isBool = (x) => (x instanceof Arr ? x.dtype === "bool" : typeof x === "boolean");
  const dtypeOf = (op, operands) => {
    if (operands.every(isBool) && "&|^~".includes(op)) return "bool";
    return operands.some((x) => x instanceof Arr) && operands.every(isWhole) && wholes.has(op) ? "int64" : "float64";
  };

  /** An operator of numbers and arrays; of two plain numbers a plain number. */
  const operator = (op, compute, dtype) => (...operands) => {
    if (operands.every(isNumber)) return compute(...operands.map(Number));
    return elementwise(op, compute, dtype ?? dtypeOf(op, operands), ...operands);
  };
  /** A function of NumPy's: of plain numbers too it gives an array, of no axes, as NumPy gives a number of its own. */
  const ufunc = (op, compute, dtype) => (...operands) =>
    elementwise(op, compute, dtype ?? dtypeOf(op, operands), ...operands);

  const modulo = (a, b) => a - Math.floor(a / b) * b;
  const nonzero = (compute) => (a, b) => (b === 0 ? fail("ZeroDivisionError", "division by zero") : compute(a, b));
  const division = (op, compute) => {
    const plain = nonzero(compute), arrays = operator(op, compute);
    return (a, b) => (isNumber(a) && isNumber(b) ? plain(Number(a), Number(b)) : arrays(a, b));
  };
  const arithmetic = {
    "+": operator("+", (a, b) => a + b), "-": operator("-", (a, b) => a - b), "*": operator("*", (a, b) => a * b),
    "/": division("/", (a, b) => a / b), "//": division("//", (a, b) => Math.floor(a / b)),
    "%": division("%", modulo), "**": operator("**", (a, b) => a ** b),
    "&": operator("&", (a, b) => a & b), "|": operator("|", (a, b) => a | b), "^": operator("^", (a, b) => a ^ b),
  };
  const comparison = (op, compute) => operator(op, compute, "bool");
  const comparisons = {
    "<": comparison("<", (a, b) => a < b), "<=": comparison("<=", (a, b) => a <= b),
    ">": comparison(">", (a, b) => a > b), ">=": comparison(">=", (a, b) => a >= b),
    "==": comparison("==", (a, b) => a === b), "!=": comparison("!=", (a, b) => a !== b),
  };
  const isList = Array.isArray;

  function add(a, b) {
    if (typeof a === "string" && typeof b === "string") return a + b;
    return isList(a) && isList(b) ? [...a, ...b] : arithmetic["+"](a, b);
  }
  function mul(a, b) {
    const [times, list] = isList(b) ? [a, b] : [b, a];
    if (!isList(list) || !isNumber(times)) return arithmetic["*"](a, b);
    return Array.from({length: times}, () => list).flat();
  }
  function bitor(a, b) {
    return a instanceof Dict && b instanceof Dict ? dict([...a.entries(), ...b.entries()]) : arithmetic["|"](a, b);
  }
  function eq(a, b) {
    if (a instanceof Arr || b instanceof Arr || (isNumber(a) && isNumber(b))) return comparisons["=="](a, b);
    if (isList(a) && isList(b)) return a.length === b.length && a.every((x, i) => truth(eq(x, b[i])));
    return a === b;
  }
  const ne = (a, b) => (a instanceof Arr || b instanceof Arr ? comparisons["!="](a, b) : !eq(a, b));
  const neg = operator("neg", (a) => -a);
  const invert = (a) => (isBool(a) && a instanceof Arr ? ufunc("~", (x) => 1 - x)(a) : operator("~", (x) => ~x)(a));
  const sigmoid = ufunc("sigmoid", (a) => (a < 0 ? Math.exp(a) / (1 + Math.exp(a)) : 1 / (1 + Math.exp(-a))));
  const maximum = ufunc("max", Math.max), minimum = ufunc("min", Math.min);

  // ------------------------------------------------------------------------------------------------------- products

  const dotNode = (left, right) => {
    const args = [];
    let v = 0;
    left.forEach((n, k) => {
      v += n.v * right[k].v;
      args.push(n, right[k]);
    });
    return node(v, "dot", args);
  };

  /** a @ b as NumPy has it: of vectors, of matrices, and of stacks of matrices. */
  function matmul(x, y) {
    const [a, b] = [asArray(x), asArray(y)];
    if (!a.ndim || !b.ndim) fail("ValueError", "@ needs arrays of at least one axis");
    const left = a.ndim === 1 ? view(a, [1, ...a.shape], [0, ...a.strides]) : a;
    const right = b.ndim === 1 ? view(b, [...b.shape, 1], [...b.strides, 0]) : b;
    const [rows, inner] = left.shape.slice(-2), [height, columns] = right.shape.slice(-2);
    if (inner !== height) {
      fail("ValueError", `${words(a.shape)} @ ${words(b.shape)}: the inner sizes ${inner} and ${height} differ`);
    }
    const stacks = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2));
    const lefts = stretched(left, [...stacks, rows, inner]), rights = stretched(right, [...stacks, inner, columns]);
    const cut = (m, n, s) => places(stacks, m.strides.slice(0, -2), m.offset).flatMap((start) =>
      Array.from({length: n}, (_, i) => [start + i * m.strides[m.ndim + s], m]));
    const line = ([start, m], s) => Array.from({length: inner}, (_, k) => m.buffer[start + k * m.strides[m.ndim + s]]);
    const allRows = cut(lefts, rows, -2).map((at) => line(at, -1));
    const allColumns = cut(rights, columns, -1).map((at) => line(at, -2));
    const nodes = allRows.flatMap((row, i) => {
      const first = Math.floor(i / rows) * columns;
      return allColumns.slice(first, first + columns).map((column) => dotNode(row, column));
    });
    const shape = [...stacks, ...(a.ndim === 1 ? [] : [rows]), ...(b.ndim === 1 ? [] : [columns])];
    return made(nodes, shape);
  }
  const multiply = ufunc("*", (a, b) => a * b);
  const dot = (a, b) => (asArray(a).ndim && asArray(b).ndim ? matmul(a, b) : multiply(a, b));
  const outer = (a, b) => {
    const [x, y] = [ravel(asArray(a)), ravel(asArray(b))];
    return arithmetic["*"](view(x, [x.size, 1], [x.strides[0], 0]), y);
  };

  // ----------------------------------------------------------------------------------------- arguments by keyword

  /** The values of the parameters `names`, from arguments in order and, last, an object of those given by keyword. */
  function take(name, args, ...names) {
    const given = isPlain(last(args)) ? last(args) : {}, found = {};
    const ordered = given === last(args) ? args.slice(0, -1) : args;
    if (ordered.length > names.length) {
      fail("TypeError", `${name} takes ${names.length} arguments, not ${ordered.length}`);
    }
    ordered.forEach((value, i) => (found[names[i]] = value));
    for (const key of Object.keys(given)) {
      if (!names.includes(key)) fail("TypeError", `${name} has no argument ${key} here`);
      found[key] = given[key];
    }
    return found;
  }

  const axisOf = (axis, ndim) => {
    const at = axis < 0 ? axis + ndim : axis;
    return at >= 0 && at < ndim ? at : fail("ValueError", `there is no axis ${axis} among ${ndim}`);
  };
  const shapeOf = (shape) => (isNumber(shape) ? [shape] : [...shape].map(Number));
  const typeOf = (dtype) => {
    if (dtype === undefined || dtype === null || dtype === "float32") return "float64";
    return dtype.dtype ?? dtype; // Python's bool, int and float stand for a dtype each
  };

  // ----------------------------------------------------------------------------------------------------- reductions

  /** A function that makes one number of all along some axes: `reduce` of a list of nodes gives the new node. */
  const reduction = (name, reduce, dtype = () => "float64", ofNone = true) => (x, ...rest) => {
    const a = asArray(x), {axis = null, keepdims = false} = take(name, rest, "axis", "keepdims");
    const gone = axis === null ? a.shape.map((_, i) => i) : [axis].flat().map((one) => axisOf(one, a.ndim));
    const kept = a.shape.map((_, i) => i).filter((i) => !gone.includes(i));
    const pick = (list, axes) => axes.map((i) => list[i]);
    const inside = places(pick(a.shape, gone), pick(a.strides, gone), 0);
    if (!ofNone && !inside.length) fail("ValueError", `there is no ${name} of no numbers`);
    const starts = places(pick(a.shape, kept), pick(a.strides, kept), a.offset);
    const nodes = starts.map((start) => reduce(inside.map((place) => a.buffer[start + place])));
    const shape = keepdims ? a.shape.map((n, i) => (gone.includes(i) ? 1 : n)) : pick(a.shape, kept);
    return made(nodes, shape, dtype(a));
  };
  const fold = (op, start, compute) => (nodes) => node(nodes.reduce((v, n) => compute(v, n.v), start), op, nodes);
  const placeOf = (better) => (nodes) =>
    node(nodes.reduce((best, n, i) => (better(n.v, nodes[best].v) ? i : best), 0), "place", nodes);
  const counted = (a) => (a.dtype === "float64" ? "float64" : "int64");
  const mean = reduction("mean", (nodes) => node(nodes.reduce((v, n) => v + n.v, 0) / nodes.length, "mean", nodes));
  const variance = (a, ...rest) => {
    const {axis = null, keepdims = false} = take("var", rest, "axis", "keepdims");
    const centred = arithmetic["-"](asArray(a), mean(a, {axis, keepdims: true}));
    return mean(arithmetic["*"](centred, centred), {axis, keepdims});
  };
  const reductions = {
    sum: reduction("sum", fold("sum", 0, (a, b) => a + b), counted),
    prod: reduction("prod", fold("prod", 1, (a, b) => a * b), counted),
    max: reduction("max", fold("max", -Infinity, Math.max), (a) => a.dtype, false),
    min: reduction("min", fold("min", Infinity, Math.min), (a) => a.dtype, false),
    any: reduction("any", fold("any", 0, (a, b) => Number(a || b !== 0)), () => "bool"),
    all: reduction("all", fold("all", 1, (a, b) => Number(a && b !== 0)), () => "bool"),
    argmax: reduction("argmax", placeOf((a, b) => a > b), () => "int64", false),
    argmin: reduction("argmin", placeOf((a, b) => a < b), () => "int64", false),
    mean, var: variance, std: (a, ...rest) => sqrt(variance(a, ...rest)),
  };
  const sqrt = ufunc("sqrt", Math.sqrt);

  // ---------------------------------------------------------------------------------------------------------- shapes

  function transpose(a, ...axes) {
    const order = axes.length === 0 || axes[0] === null ? a.shape.map((_, i) => a.ndim - 1 - i)
      : axes.flat().map((axis) => axisOf(axis, a.ndim));
    if (order.length !== a.ndim) fail("ValueError", `${order.length} axes given for the shape ${words(a.shape)}`);
    return view(a, order.map((i) => a.shape[i]), order.map((i) => a.strides[i]));
  }
  function swapaxes(a, one, other) {
    const order = a.shape.map((_, i) => i), [i, k] = [axisOf(one, a.ndim), axisOf(other, a.ndim)];
    [order[i], order[k]] = [k, i];
    return transpose(a, order);
  }

  /** The strides with which the elements of `a`, in order, have another shape; null if that takes a copy. Axes of both
   *  shapes are taken together until they hold equally many elements; those of `a` must then lie without gaps. */
  function stridesFor(a, shape) {
    const old = a.shape.map((n, i) => [n, a.strides[i]]).filter(([n]) => n !== 1), strides = contiguous(shape);
    for (let i = 0, j = 0; i < old.length; ) {
      let [first, have, want] = [i, old[i++][0], 1], from = j;
      while (want !== have || (j < shape.length && shape[j] === 1)) {
        if (want < have || (want === have && shape[j] === 1)) want *= shape[j++];
        else have *= old[i++][0];
      }
      for (let k = first; k < i - 1; k++) if (old[k][1] !== old[k + 1][0] * old[k + 1][1]) return null;
      for (let k = j - 1, step = old[i - 1][1]; k >= from; step *= shape[k--]) strides[k] = step;
    }
    return strides;
  }
  function reshape(a, ...args) {
    const shape = args.flat().map(Number), open = shape.indexOf(-1), known = sizeOf(shape.filter((n) => n !== -1));
    if (open >= 0) shape[open] = known ? a.size / known : NaN;
    if (sizeOf(shape) !== a.size || shape.some((n) => !Number.isInteger(n) || n < 0)) {
      fail("ValueError", `the shape ${words(a.shape)} cannot become ${words(args.flat())}`);
    }
    const strides = a.size ? stridesFor(a, shape) : contiguous(shape);
    return strides ? view(a, shape, strides) : view(copied(a), shape, contiguous(shape));
  }
  const isContiguous = (a) => {
    const strides = contiguous(a.shape);
    return a.shape.every((n, axis) => n === 1 || a.strides[axis] === strides[axis]) || !a.size;
  };
  const ravel = (a) => reshape(isContiguous(a) ? a : copied(a), a.size);
  const squeeze = (a, ...rest) => {
    const {axis = null} = take("squeeze", rest, "axis");
    const keep = a.shape.map((n, i) => (axis === null ? n !== 1 : i !== axisOf(axis, a.ndim)));
    return view(a, a.shape.filter((_, i) => keep[i]), a.strides.filter((_, i) => keep[i]));
  };
  const expandDims = (a, ...rest) => {
    const {axis} = take("expand_dims", rest, "axis");
    const at = axisOf(axis, a.ndim + 1);
    return view(a, [...a.shape.slice(0, at), 1, ...a.shape.slice(at)],
      [...a.strides.slice(0, at), 0, ...a.strides.slice(at)]);
  };

  const common = (arrays) => (arrays.every((a) => a.dtype === arrays[0].dtype) ? arrays[0].dtype : "float64");
  function concatenate(list, ...rest) {
    const {axis = 0, out = null} = take("concatenate", rest, "axis", "out");
    const arrays = [...list].map(asArray);
    if (!arrays.length) fail("ValueError", "there is nothing to concatenate");
    const at = axisOf(axis, arrays[0].ndim), shape = [...arrays[0].shape];
    for (const a of arrays) {
      if (a.ndim !== shape.length || a.shape.some((n, i) => i !== at && n !== shape[i])) {
        const shapes = arrays.map((b) => words(b.shape)).join(", ");
        fail("ValueError", `the shapes ${shapes} cannot stand along axis ${axis}`);
      }
    }
    shape[at] = arrays.reduce((n, a) => n + a.shape[at], 0);
    const result = made(new Array(sizeOf(shape)), shape, common(arrays));
    let start = 0;
    for (const a of arrays) {
      set(result, [...shape.slice(0, at).map(() => slice()), slice(start, start + a.shape[at])], a);
      start += a.shape[at];
    }
    if (out === null) return result;
    if (words(out.shape) !== words(shape)) fail("ValueError", `out is ${words(out.shape)}, not ${words(shape)}`);
    set(out, ELLIPSIS, result);
    return out;
  }
  const stack = (list, ...rest) => {
    const {axis = 0} = take("stack", rest, "axis");
    return concatenate([...list].map((a) => expandDims(asArray(a), axis)), axis);
  };
  function split(a, parts, ...rest) {
    const {axis = 0} = take("split", rest, "axis"), at = axisOf(axis, a.ndim), n = a.shape[at];
    if (isNumber(parts) && n % parts) fail("ValueError", `${n} cannot be split into ${parts} equal parts`);
    const cuts = isNumber(parts) ? Array.from({length: parts - 1}, (_, i) => (i + 1) * n / parts) : [...parts];
    const edges = [0, ...cuts, n], before = a.shape.slice(0, at).map(() => slice());
    return edges.slice(1).map((end, i) => get(a, [...before, slice(edges[i], end)]));
  }

  // -------------------------------------------------------------------------------------------------------- indexing

  const ELLIPSIS = Object.freeze({ellipsis: true});
  class Slice { constructor(start, stop, step) { Object.assign(this, {start, stop, step}); } }
  const slice = (start = null, stop = null, step = null) => new Slice(start, stop, step);

  /** Where a slice starts in an axis of n elements, how many it takes, and in what steps, as in Python. */
  function bounds({start, stop, step}, n) {
    const by = step === null ? 1 : Number(step);
    if (by === 0) fail("ValueError", "a slice cannot have the step 0");
    const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
    const place = (x, otherwise) => (x === null ? otherwise : Math.max(low, Math.min(high, x < 0 ? +x + n : +x)));
    const first = place(start, by > 0 ? low : high), end = place(stop, by > 0 ? high : low);
    return [first, Math.max(0, Math.ceil((end - first) / by)), by];
  }
  function placeIn(index, n, what) {
    const i = Number(index instanceof Arr && index.size === 1 ? index.nodes[0].v : index);
    if (!Number.isInteger(i)) fail("TypeError", `${described(index)} is no index`);
    if (i < -n || i >= n) fail("IndexError", `there is no place ${i} in ${what} of ${n}`);
    return i < 0 ? i + n : i;
  }

  /** The view that an index makes of an array. */
  function viewed(a, index) {
    const given = isList(index) ? index : [index], used = given.filter((i) => i !== null && i !== ELLIPSIS).length;
    if (used > a.ndim) fail("IndexError", `${used} indices for an array of the shape ${words(a.shape)}`);
    const rest = Array(a.ndim - used).fill(slice()), dots = given.indexOf(ELLIPSIS);
    const full = dots < 0 ? [...given, ...rest] : [...given.slice(0, dots), ...rest, ...given.slice(dots + 1)];
    const shape = [], strides = [];
    let offset = a.offset, axis = 0;
    for (const one of full) {
      if (one === null) {
        shape.push(1);
        strides.push(0);
      } else if (one instanceof Slice) {
        const [first, count, by] = bounds(one, a.shape[axis]);
        offset += count ? first * a.strides[axis] : 0;
        shape.push(count);
        strides.push(by * a.strides[axis++]);
      } else {
        if (isList(one) || (one instanceof Arr && one.ndim)) {
          fail("TypeError", "an array or a list as an index is not known here");
        }
        offset += placeIn(one, a.shape[axis], "an axis") * a.strides[axis++];
      }
    }
    return view(a, shape, strides, offset);
  }

  /** Whether what an index found is one number, and no view, as that of a[..., 0] would be. */
  const isElement = (found, index) => !found.ndim && !(index === ELLIPSIS || (isList(index) && index.includes(ELLIPSIS)));

  function get(x, index) {
    if (x instanceof Arr) {
      const found = viewed(x, index);
      return isElement(found, index) ? copied(found) : found;
    }
    if (x instanceof Dict) return x.has(index) ? x.get(index) : fail("KeyError", `there is no ${index}`);
    if (!isList(x) && typeof x !== "string") return fail("TypeError", `${described(x)} has no elements`);
    if (!(index instanceof Slice)) return x[placeIn(index, x.length, "a list")];
    const [first, count, by] = bounds(index, x.length);
    const picked = Array.from({length: count}, (_, i) => x[first + i * by]);
    return isList(x) ? picked : picked.join("");
  }

  function set(x, index, value) {
    if (x instanceof Dict) x.set(index, value);
    else if (isList(x)) x[placeIn(index, x.length, "a list")] = value;
    else if (x instanceof Arr) {
      const target = viewed(x, index), given = asArray(value);
      if (isElement(target, index) && given.ndim) fail("ValueError", `one number cannot be ${words(given.shape)}`);
      const lead = Math.max(0, given.ndim - target.ndim);
      const fitting = given.shape.slice(0, lead).every((n) => n === 1)
        ? view(given, given.shape.slice(lead), given.strides.slice(lead)) : given;
      const nodes = stretched(fitting, target.shape).nodes; // all of them, before any is overwritten
      places(target.shape, target.strides, target.offset).forEach((place, i) => (x.buffer[place] = nodes[i]));
    } else fail("TypeError", `${described(x)} has no elements to set`);
  }

  /** x += value and its like: arrays and dicts change in place, so that all who share them see it. */
  function inplace(op, x, value) {
    const operators = {"+": add, "*": mul, "|": bitor, "@": matmul};
    if (x instanceof Dict && op === "|") {
      for (const [key, item] of value.entries()) x.set(key, item);
      return x;
    }
    if (isList(x)) fail("TypeError", `${op}= of a list or tuple is not known here`);
    const result = (operators[op] ?? arithmetic[op])(x, value);
    if (!(x instanceof Arr) || !x.ndim) return result;
    if (words(result.shape) !== words(x.shape)) {
      fail("ValueError", `${words(result.shape)} does not fit into the array of the shape ${words(x.shape)} in place`);
    }
    set(x, ELLIPSIS, result);
    return x;
  }
  const update = (x, index, op, value) => set(x, index, inplace(op, get(x, index), value));
  const place = (x, index) => ({set value(value) { set(x, index, value); }});

  // ------------------------------------------------------------------------------------------------- NumPy's module

  const dtyped = (name, v, op) => (...args) => {
    const {shape, dtype} = take(name, args, "shape", "dtype"), type = typeOf(dtype);
    return filled(shapeOf(shape), Number.isNaN(v) && type !== "float64" ? 0 : v, op, type);
  };
  const likened = (name, make) => (a, ...rest) => {
    const {dtype = a.dtype, ...others} = take(name, rest, "dtype");
    return make(a.shape, {dtype, ...others});
  };
  const [empty, zeros, ones] = [dtyped("empty", NaN, "empty"), dtyped("zeros", 0, "const"), dtyped("ones", 1, "const")];
  const astype = (a, dtype) => {
    const type = typeOf(dtype);
    if (type === "bool" && a.dtype !== "bool") return ufunc("!=", (x) => x !== 0, "bool")(a);
    if (type === "int64" && a.dtype === "float64") return ufunc("trunc", Math.trunc, "int64")(a);
    return copied(a, type);
  };
  function full(...args) {
    const {shape, fill_value, dtype} = take("full", args, "shape", "fill_value", "dtype");
    return copied(stretched(asArray(fill_value), shapeOf(shape)), typeOf(dtype));
  }
  function arange(...args) {
    const {start, stop = null, step = 1} = take("arange", args, "start", "stop", "step", "dtype");
    const [from, to] = stop === null ? [0, start] : [start, stop], n = Math.max(0, Math.ceil((to - from) / step));
    const whole = [from, to, step].every(Number.isInteger);
    return made(Array.from({length: n}, (_, i) => node(from + i * step, "const")), [n], whole ? "int64" : "float64");
  }
  function eye(n, ...rest) {
    const {M = n, dtype} = take("eye", rest, "M", "dtype");
    const nodes = Array.from({length: n * M}, (_, i) => node(Number(Math.floor(i / M) === i % M), "const"));
    return made(nodes, [n, M], typeOf(dtype));
  }
  const array = (x, ...rest) => {
    const {dtype} = take("array", rest, "dtype"), a = asArray(x);
    return dtype === undefined ? copied(a) : astype(a, dtype);
  };
  const asarray = (x, ...rest) => (rest.length ? array(x, ...rest) : asArray(x));
  const clip = (a, low, high) => {
    const above = low === null ? a : maximum(a, low);
    return high === null ? above : minimum(above, high);
  };

  const functions = Object.fromEntries(
    ["exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "abs", "sign", "floor", "ceil"]
      .map((name) => [name, ufunc(name, Math[name])]),
  );
  /** What of NumPy is known here. */
  const xp = {
    ...functions, ...reductions, sqrt, absolute: functions.abs, maximum, minimum, clip,
    square: (a) => elementwise("*", (x, y) => x * y, dtypeOf("*", [a]), a, a),
    where: ufunc("where", (c, a, b) => (c ? a : b)),
    add: ufunc("+", (a, b) => a + b), subtract: ufunc("-", (a, b) => a - b), multiply,
    divide: ufunc("/", (a, b) => a / b), power: ufunc("**", (a, b) => a ** b), negative: ufunc("neg", (a) => -a),
    logical_and: ufunc("&", (a, b) => a && b ? 1 : 0, "bool"), logical_or: ufunc("|", (a, b) => a || b ? 1 : 0, "bool"),
    logical_not: ufunc("~", (a) => (a ? 0 : 1), "bool"), isnan: ufunc("isnan", Number.isNaN, "bool"),
    matmul, dot, outer, empty, zeros, ones, full, arange, eye, array, asarray, concatenate, stack, split, squeeze,
    empty_like: likened("empty_like", empty), zeros_like: likened("zeros_like", zeros),
    ones_like: likened("ones_like", ones), full_like: (a, value) => full(a.shape, value),
    ascontiguousarray: (a) => (isContiguous(asArray(a)) ? asArray(a) : copied(a)),
    copy: (a) => copied(asArray(a)), ravel: (a) => ravel(asArray(a)),
    reshape: (a, shape) => reshape(asArray(a), shape), transpose: (a, axes = null) => transpose(asArray(a), axes),
    broadcast_to: (a, shape) => stretched(asArray(a), shapeOf(shape)),
    expand_dims: (a, ...rest) => expandDims(asArray(a), ...rest),
    swapaxes, pi: Math.PI, e: Math.E, inf: Infinity, nan: NaN, newaxis: null,
    float64: "float64", float32: "float64", int64: "int64", bool_: "bool",
  };
  const methods = {
    ...reductions, reshape, transpose, swapaxes, ravel, squeeze, astype, clip, dot,
    copy: (a) => copied(a),
    flatten: (a) => ravel(copied(a)),
    fill: (a, value) => set(a, ELLIPSIS, value),
    item: (a) => (a.size === 1 ? a.nodes[0].v : fail("ValueError", `${a.size} numbers are not one`)),
    tolist: (a) => (a.ndim ? [...a].map((row) => row.tolist()) : a.nodes[0].v),
  };
  for (const [name, method] of Object.entries(methods)) {
    Arr.prototype[name] = function (...args) { return method(this, ...args); };
  }

  // --------------------------------------------------------------------------------------------------- Python's words

  class Dict extends Map {
    [Symbol.iterator]() { return this.keys(); } // in Python, walking along a dict gives its keys
  }
  const dict = (pairs = []) => {
    const made = new Dict();
    for (const [key, value] of pairs instanceof Dict ? pairs.entries() : pairs) made.set(key, value);
    return made;
  };
  class Range {
    constructor(start, stop, step) {
      Object.assign(this, {start, step, length: Math.max(0, Math.ceil((stop - start) / step))});
    }
    *[Symbol.iterator]() { for (let i = 0; i < this.length; i++) yield this.start + i * this.step; }
  }
  const range = (...given) => {
    const [a, b, step = 1] = given.map(number);
    return b === undefined ? new Range(0, a, 1) : new Range(a, b, step);
  };
  function len(x) {
    if (x instanceof Arr) return x.ndim ? x.shape[0] : fail("TypeError", "an array of no axes has no length");
    return x instanceof Dict ? x.size : x?.length ?? fail("TypeError", `${described(x)} has no length`);
  }
  function truth(x) {
    if (x instanceof Arr) {
      if (x.size !== 1) fail("ValueError", `an array of ${x.size} numbers is neither true nor false`);
      return x.nodes[0].v !== 0;
    }
    if (x === undefined) fail("NameError", "a name without a value");
    if (x === null || isNumber(x)) return Boolean(Number(x)) || Number.isNaN(x);
    return typeof x === "string" || isList(x) || x instanceof Dict || x instanceof Range ? len(x) > 0 : true;
  }
  /** The parts of `value` for the places of a pattern: their number, or a list of 0 (one), "*" (the rest), patterns. */
  function unpack(value, pattern) {
    const wanted = isList(pattern) ? pattern : Array(pattern).fill(0), parts = [...value], star = wanted.indexOf("*");
    if (star >= 0) parts.splice(star, 0, parts.splice(star, Math.max(0, parts.length - wanted.length + 1)));
    if (parts.length !== wanted.length) fail("ValueError", `${wanted.length} values expected, not ${parts.length}`);
    return parts.map((part, i) => (isList(wanted[i]) ? unpack(part, wanted[i]) : part));
  }
  function* zip(...lists) {
    const {strict = false} = isPlain(last(lists)) ? lists.pop() : {};
    const walks = lists.map((list) => list[Symbol.iterator]());
    while (walks.length) {
      const items = [];
      for (const walk of walks) {
        const {done, value} = walk.next();
        if (done && strict && (items.length || walks.slice(1).some((other) => !other.next().done))) {
          fail("ValueError", "zip: the lengths differ");
        }
        if (done) return;
        items.push(value);
      }
      yield items;
    }
  }
  function* enumerate(list, ...rest) {
    let {start: i = 0} = take("enumerate", rest, "start");
    for (const x of list) yield [i++, x];
  }
  /** What f gives for each item, when it is asked for: as `map` and generators do in Python. */
  function* each(list, f) { for (const x of list) yield f(x); }
  function* eachOf(list, f) { for (const x of list) yield* f(x); }
  const best = (op) => (...given) =>
    (given.length === 1 ? [...given[0]] : given).reduce((a, b) => (truth(comparisons[op](b, a)) ? b : a));
  const number = (x) => (x instanceof Arr ? methods.item(x) : Number(x));
  const contains = (list, x) => {
    if (list instanceof Dict) return list.has(x);
    return typeof list === "string" ? list.includes(x) : [...list].some((y) => truth(eq(x, y)));
  };
  /** A chain as a < b < c, in which each middle is computed once and nothing behind the first that fails. */
  function chain(first, ...links) {
    let left = first, result = true;
    for (const [op, rest] of links) {
      const right = rest();
      result = ({"==": eq, "!=": ne}[op] ?? comparisons[op])(left, right);
      if (!truth(result)) return result;
      left = right;
    }
    return result;
  }
  const found = (i) => (i < 0 ? fail("ValueError", "what is looked for is not there") : i);
  const listMethods = {
    append: (x, item) => void x.push(item),
    extend: (x, items) => void x.push(...items),
    insert: (x, i, item) => void x.splice(i, 0, item),
    pop: (x) => (x.length ? x.pop() : fail("IndexError", "there is nothing left in the list")),
    copy: (x) => [...x],
    count: (x, y) => x.filter((z) => truth(eq(z, y))).length,
    index: (x, y) => found(x.findIndex((z) => truth(eq(z, y)))),
  };
  const dictMethods = {
    items: (x) => [...x.entries()].values(),
    keys: (x) => [...x.keys()].values(),
    values: (x) => [...x.values()].values(),
    get: (x, key, otherwise = null) => (x.has(key) ? x.get(key) : otherwise),
    copy: (x) => dict(x),
    update: (x, y) => void inplace("|", x, dict(y)),
    pop: (x, key) => {
      const value = get(x, key);
      x.delete(key);
      return value;
    },
  };
  const stringMethods = {
    index: (x, y) => found(x.indexOf(y)),
    replace: (x, a, b) => x.split(a).join(b),
    join: (x, parts) => [...parts].join(x),
    count: (x, y) => x.split(y).length - 1,
    startswith: (x, y) => x.startsWith(y),
    endswith: (x, y) => x.endsWith(y),
  };
  /** x.name(...) where x may be a list, a dict or a string. */
  function call(x, name, ...args) {
    const ofText = typeof x === "string" ? stringMethods : null;
    const own = isList(x) ? listMethods : x instanceof Dict ? dictMethods : ofText;
    if (own === null && typeof x?.[name] === "function") return x[name](...args);
    return own?.[name] ? own[name](x, ...args) : fail("AttributeError", `${described(x)} has no method ${name}`);
  }
  /** A class of tuples whose places have names. */
  const namedtuple = (fields, defaults = {}) => (...values) => {
    const tuple = fields.map((field, i) => values[i] ?? (values[i] === null ? null : defaults[field]));
    return Object.assign(tuple, Object.fromEntries(fields.map((field, i) => [field, tuple[i]])));
  };
  /** A function called with keywords where only the run shows which function it is. */
  function apply(f, args, keywords) {
    if (!f.params) return f(...args, keywords);
    const placed = [...args];
    for (const [name, value] of Object.entries(keywords)) {
      const at = f.params.indexOf(name);
      placed[at < 0 ? fail("TypeError", `there is no argument ${name}`) : at] = value;
    }
    return f(...placed);
  }
  const bound = (x, name) => (typeof x[name] === "function" && !x[name].params ? x[name].bind(x) : x[name]);
  const typed = (dtype, f) => Object.assign(f, {dtype});
  const tools = {
    float: typed("float64", (x) => number(x)),
    int: typed("int64", (x) => Math.trunc(number(x))),
    bool: typed("bool", (x) => truth(x)),
    abs: operator("abs", Math.abs), max: best(">"), min: best("<"),
    dict, enumerate, len, range, slice, zip,
    list: (x = []) => [...x],
    tuple: (x = []) => [...x],
    reversed: (x) => [...x].reverse().values(),
    sorted: (x) => [...x].sort((a, b) => (a < b ? -1 : Number(a > b))),
    map: (f, ...lists) => each(zip(...lists), (args) => f(...args)),
    sum: (list, ...rest) => [...list].reduce((a, b) => add(a, b), take("sum", rest, "start").start ?? 0),
    any: (list) => {
      for (const x of list) if (truth(x)) return true;
      return false;
    },
    all: (list) => {
      for (const x of list) if (!truth(x)) return false;
      return true;
    },
  };
  const math = Object.fromEntries(["ceil", "cos", "exp", "expm1", "floor", "log", "log1p", "sin", "sqrt", "tan", "tanh"]
    .map((name) => [name, (x) => Math[name](number(x))]));
  Object.assign(math, {fabs: (x) => Math.abs(number(x)), pi: Math.PI, e: Math.E, inf: Infinity, nan: NaN});
  const raised = (kind, message) => Object.assign(new Error(message), {name: kind});
  const runtime = {
    ...tools, xp, add, sub: arithmetic["-"], mul, div: arithmetic["/"], floordiv: arithmetic["//"], mod: arithmetic["%"],
    pow: arithmetic["**"], matmul, bitand: arithmetic["&"], bitor, bitxor: arithmetic["^"],
    neg, pos: operator("+", (a) => +a), invert,
    eq, ne, lt: comparisons["<"], le: comparisons["<="], gt: comparisons[">"], ge: comparisons[">="], contains, chain, truth,
    and: (a, rest) => (truth(a) ? rest() : a), or: (a, rest) => (truth(a) ? a : rest()),
    get, set, update, inplace, place, unpack, call, apply, bound, namedtuple, ELLIPSIS, raised,
    each, eachOf, collect: (list, f) => [...each(list, f)], gather: (list, f) => [...eachOf(list, f)],
    unpacked: (list, pattern) => each(list, (x) => unpack(x, pattern)),
    items: (x) => [...x.entries()],
    text: (x) => (x instanceof Arr ? JSON.stringify(x.values) : String(x)), math,
    draw: () => fail("TypeError", "random numbers cannot be drawn here"),
    sigmoid, tanh: functions.tanh, array_module: () => xp, like: (a) => a,
  };

  // --------------------------------------------------------------------------------------------------------- as JSON

  const plainNumber = (v) => (Number.isNaN(v) ? null : v === Infinity ? "inf" : v === -Infinity ? "-inf" : v);
  const readNumber = (v) => (v === null ? NaN : v === "inf" ? Infinity : v === "-inf" ? -Infinity : v);
  const mapped = (object, f) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value, key)]));

  /** What of a value is shown: numbers, arrays (their nodes as they are now), lists and dicts of them, and namespaces of
   * arrays, such as the weights; else undefined. */
  function shown(x) {
    if (isNumber(x)) return Number(x);
    if (x instanceof Arr) return copied(x);
    const fields = isPlain(x) ? Object.values(x) : [];
    if (fields.length && fields.every((one) => one instanceof Arr)) return {m: mapped(x, copied)};
    if (!isList(x) && !(x instanceof Dict)) return undefined;
    const items = [...x.values()].map(shown);
    if (items.includes(undefined)) return undefined;
    if (isList(x)) return {q: items};
    const keys = [...x.keys()], isShown = keys.every((key) => typeof key === "string");
    return isShown ? {m: Object.fromEntries(keys.map((key, i) => [key, items[i]]))} : undefined;
  }
  function encode(value) {
    const x = value?.q || value?.m ? value : shown(value);
    if (isNumber(x)) return plainNumber(x);
    if (x instanceof Arr) return {s: [...x.shape], d: x.values.map(plainNumber)};
    return x === undefined ? undefined : x.q ? {q: x.q.map(encode)} : {m: mapped(x.m, encode)};
  }
  /** The inverse, with namespaces {"n": …}, texts {"t": …} and objects by name {"o": …} beside; {"o": null} is None. */
  function decode(json, name = "", objects = {}) {
    if (json === null || typeof json !== "object") return readNumber(json);
    if (json.s) {
      const nodes = json.d.map((v) => node(readNumber(v), "input"));
      nodes.forEach((one, index) => (one.label = {name, event: -1, index}));
      return made(nodes, [...json.s]);
    }
    if (json.q) return json.q.map((item, i) => decode(item, `${name}[${i}]`, objects));
    if (json.m) return dict(Object.entries(mapped(json.m, (item, key) => decode(item, `${name}["${key}"]`, objects))));
    if (json.n) return mapped(json.n, (item, field) => decode(item, field, objects));
    if ("t" in json) return json.t;
    if (json.o === null) return null;
    return objects[json.o] ?? fail("NameError", `there is no object ${json.o}`);
  }

  // ------------------------------------------------------------------------------------------------------- recording

  function label(x, name, event) {
    if (x instanceof Arr) x.buffer.forEach((n, index) => { if (n.label === null) n.label = {name, event, index}; });
    else if (x.q) x.q.forEach((item, i) => label(item, `${name}[${i}]`, event));
    else if (x.m) for (const key of Object.keys(x.m)) label(x.m[key], `${name}["${key}"]`, event);
  }

  /** The runtime with a recorder: `enter` and `leave` a function, `at` a statement that is done, `done` at a return. */
  function recorder({record = true} = {}) {
    const events = [], frames = [];
    function at(line, given) {
      const frame = last(frames), values = {};
      if ("t" in given) frame.t = Number.isInteger(given.t) ? given.t : null;
      const tell = (name, x, always) => {
        const value = x === undefined ? undefined : shown(x);
        if (value === undefined) return;
        const text = JSON.stringify(encode(value));
        if (!always && frame.told.get(name).text === text) return;
        frame.told.set(name, {x, text});
        values[name] = value;
        label(value, name, events.length);
      };
      for (const name of Object.keys(given)) tell(name, given[name], true);
      // What was told of before may have been filled since, by another function or through another view of it.
      for (const [name, {x}] of [...frame.told]) if (!(name in given)) tell(name, x, false);
      const t = last(frames.filter((one) => one.t !== null))?.t ?? null;
      events.push({function: frame.name, module: frame.module, line, t, depth: frames.length, values});
    }
    const enter = (name, module, line, given) => { frames.push({name, module, t: null, told: new Map()}); at(line, given); };
    const done = (line, value = null) => {
      at(line, {});
      const returned = shown(value ?? undefined);
      if (returned !== undefined) last(events).values.return = returned;
      frames.pop();
      return value;
    };
    const raise = (line, kind, message) => { at(line, {}); return raised(kind, message); };
    const leave = () => { frames.pop(); return null; };
    const nothing = () => null;
    const silent = {
      enter: nothing, at: nothing, leave: nothing,
      done: (line, value = null) => value, raise: (line, kind, message) => raised(kind, message),
    };
    return {...runtime, ...(record ? {enter, at, leave, done, raise} : silent), events};
  }

  /** Run a function of a translated program on arguments in JSON, in order or by the names of the parameters. */
  function run(program, name, args, {record = true} = {}) {
    const R = recorder({record}), {functions, objects} = program(R), f = functions[name];
    let result, error = null;
    try {
      const given = isList(args) ? args : f.params.filter((param) => param in args).map((param) => args[param]);
      const names = isList(args) ? f.params : f.params.filter((param) => param in args);
      const decoded = given.map((json, i) => decode(json, names[i], objects));
      result = apply(f, [], Object.fromEntries(names.slice(0, decoded.length).map((param, i) => [param, decoded[i]])));
    } catch (problem) {
      error = problem;
    }
    return {result, events: R.events, error};
  }

  return {Arr, run, recorder, encode, decode, node, asArray, xp, runtime, methods: Object.keys(methods),
    containers: [...new Set([listMethods, dictMethods, stringMethods].flatMap(Object.keys))]};
})();
if (typeof module !== "undefined") module.exports = numbers;
