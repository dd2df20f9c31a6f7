// Which features the lists show, in which order, and which are selected.

const SORTS = ["number", "symmetry", "kind", "family", "frequency", "confidence", "found_again"];
const COLORS = ["kind", "family", "symmetry", "frequency", "confidence", "found_again"];
const FILTERS = ["q", "kind", "family", "symmetry", "confidence", "frequency", "found"];
const DEFAULT_SORT = "-frequency";
const lists = new Map();

const tokensOf = (typed) => typed.toLowerCase().split(/[\s,;[\]]+/).filter(Boolean);

/** Curves and edges are what people look for; the analysis calls both directed. */
const isDirectedToken = (token) => token.length > 3 && ["curves", "edges"].some((word) => word.startsWith(token));
const asksForDirected = (run, typed) => run.kinds.some((kind) => kind.name === "directed") && tokensOf(typed || "").some(isDirectedToken);

/** Names of files are found by where their words begin: "dog" is in "big_dog.jpg", "edge" is not in "hedge.jpg". */
const inWords = (text) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim()}`;

/** For each row, whether one of the pictures shown is of an image with such a name. */
function imageTest(run, token) {
  const { shown, words } = run.raw;
  const wanted = inWords(token);
  // fewer letters would be in too many names; numbers are those of features
  if (!shown || wanted.length < 4 || /^\d+$/.test(token)) return () => false;
  const isWanted = words.map((word) => inWords(word).includes(wanted));
  return (row) => rowOf(shown.image, row).some((word) => word >= 0 && isWanted[word]);
}

/** A test of rows by what was typed: numbers, or words of names, titles, kinds, remarks and images. */
function searchTest(run, typed) {
  const tokens = tokensOf(typed);
  if (!tokens.length) return null;
  const number = run.number;
  if (tokens.length > 1 && tokens.every((token) => /^\d+$/.test(token))) {
    const wanted = new Set(tokens.map(Number));
    return (row) => wanted.has(number[row]);
  }
  const words = run.raw.words.map((word) => word.toLowerCase());
  const titles = run.raw.words.map((word) => plainSymmetry(word).toLowerCase());
  const kinds = run.kinds.map((kind) => kind.name.toLowerCase());
  const [symmetry, remark, kind] = ["symmetry", "remark", "kind"].map((name) => run.column(name));
  const tests = tokens.map((token) => {
    const inWord = words.map((word) => word.includes(token));
    const inTitle = titles.map((title, i) => inWord[i] || title.includes(token));
    const inKind = kinds.map((name) => `${name}s`.includes(token) || (name === "directed" && isDirectedToken(token)));
    const isNumber = /^\d+$/.test(token);
    const inImage = imageTest(run, token);
    return (row) =>
      (isNumber && String(number[row]).startsWith(token)) ||
      inTitle[symmetry[row]] || inKind[kind[row]] || (!isNumber && inWord[remark[row]]) || inImage(row);
  });
  return (row) => tests.every((test) => test(row));
}

function filterTests(run, query) {
  const tests = [];
  const search = searchTest(run, query.q || "");
  if (search) tests.push(search);
  if (query.kind) {
    const wanted = new Set(query.kind.split(","));
    const kept = run.kinds.map((kind) => wanted.has(kind.name));
    const kind = run.column("kind");
    tests.push((row) => kept[kind[row]]);
  }
  if (query.family) {
    const family = run.column("family");
    if (query.family === "any") tests.push((row) => family[row] >= 0);
    else if (query.family === "alone") tests.push((row) => family[row] < 0);
    else tests.push((row) => family[row] === Number(query.family));
  }
  if (query.symmetry) {
    const index = run.raw.words.map((word) => word === query.symmetry);
    const symmetry = run.column("symmetry");
    tests.push((row) => index[symmetry[row]]);
  }
  for (const [key, column] of [["confidence", "confidence"], ["frequency", "frequency"], ["found", "found_again"]]) {
    const least = Number(query[key]) / 100;
    if (query[key] && Number.isFinite(least)) {
      const values = run.column(column);
      // half a unit in the last place of what is kept as float32
      tests.push((row) => values[row] >= least - 1e-7);
    }
  }
  return tests;
}

function sortKeys(run, column) {
  if (column === "symmetry" || column === "kind") {
    const names = column === "kind" ? run.kinds.map((kind) => kind.name) : run.raw.words;
    const order = names.map((_, i) => i).sort((a, b) => names[a].localeCompare(names[b], "en", { numeric: true }));
    const rank = new Float64Array(names.length);
    order.forEach((name, place) => (rank[name] = place));
    return Float64Array.from(run.column(column), (name) => (name < 0 ? NaN : rank[name]));
  }
  if (column === "family") return Float64Array.from(run.column("family"), (x) => (x < 0 ? NaN : x));
  return run.column(column);
}

/** Rows that pass the filters, sorted; what is not known comes last either way. */
function listRows(run, query) {
  const key = JSON.stringify([run.index, query.sort, ...FILTERS.map((name) => query[name])]);
  if (lists.has(key)) return lists.get(key);
  const tests = filterTests(run, query);
  const rows = [];
  for (let row = 0; row < run.n; row++) if (tests.every((test) => test(row))) rows.push(row);
  const sort = sortOf(query);
  const keys = sortKeys(run, sort.column);
  const sign = sort.descending ? -1 : 1;
  rows.sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
    return sign * (x - y) || a - b;
  });
  if (lists.size > 20) lists.clear();
  lists.set(key, rows);
  return rows;
}

function sortOf(query) {
  const text = query.sort || DEFAULT_SORT;
  const column = text.replace(/^-/, "");
  return SORTS.includes(column) ? { column, descending: text.startsWith("-") } : { column: "frequency", descending: true };
}

const isFiltered = (query) => FILTERS.some((name) => query[name]);

let selected = { text: "", run: null, numbers: new Set() };
/** Each run has a selection of its own, since numbers are each run's own. */
const selectionKey = () => SELECTIONS[currentRun().index];

/** The selected features, by number; "3,17,20-25" in the address. */
function selection() {
  const text = router.current.query[selectionKey()] || "";
  const run = currentRun();
  if (text !== selected.text || run !== selected.run) {
    const { rows } = run;
    const found = new Set();
    for (const part of text.split(",").filter(Boolean)) {
      const [first, last = first] = part.split("-").map(Number);
      for (let i = first; i <= Math.min(last, first + 1e6); i++) if (rows.has(i)) found.add(i);
    }
    selected = { text, run, numbers: new Set(Array.from(found).sort((a, b) => a - b)) };
  }
  return selected.numbers;
}

function select(numbersOfFeatures) {
  const sorted = Array.from(new Set(numbersOfFeatures)).sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === sorted[end] + 1) end++;
    parts.push(end > i + 1 ? `${sorted[i]}-${sorted[end]}` : sorted.slice(i, end + 1).join(","));
    i = end + 1;
  }
  router.change({ [selectionKey()]: parts.join(",") });
}

function toggle(number) {
  const now = new Set(selection());
  if (!now.delete(number)) now.add(number);
  select(now);
}

let lastTicked = null;

/** Tick a box; with shift, also those listed between it and the one before, which all become as it does. */
function tick(number, isRange) {
  const run = currentRun();
  const rows = listRows(run, router.current.query);
  const [from, to] = [lastTicked, number].map((n) => rows.indexOf(run.rows.get(n))).sort((a, b) => a - b);
  lastTicked = number;
  if (!isRange || from < 0) return toggle(number);
  const now = new Set(selection());
  const isOn = !now.has(number);
  for (const row of rows.slice(from, to + 1)) now[isOn ? "add" : "delete"](run.number[row]);
  return select(now);
}
