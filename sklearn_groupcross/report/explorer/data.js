// What the page was given, and the questions that its parts ask of a run.

class Run {
  constructor(raw, index) {
    this.raw = raw;
    this.index = index;
    this.name = raw.name;
    this.group = raw.group;
    this.kinds = raw.kinds;
    this.families = raw.families || [];
    this.n = raw.features.number.shape[0];
    this.rows = new Map();
    this.number.forEach((number, row) => this.rows.set(number, row));
    this.familyOf = new Map(this.families.map((family) => [family.label, family]));
    this.poses = new Map();
  }

  column(name) {
    return numbers(this.raw.features[name]);
  }

  get number() {
    return this.column("number");
  }

  word(name, row) {
    const index = this.column(name)[row];
    return index < 0 ? "" : this.raw.words[index];
  }

  symmetry(row) {
    return this.word("symmetry", row);
  }

  kind(row) {
    return this.kinds[this.column("kind")[row]] || { name: "–", meaning: "", color: "#888", marker: "circle" };
  }

  element(index) {
    return index >= 0 ? this.group.elements[index] : "";
  }

  family(row) {
    return this.familyOf.get(this.column("family")[row]) || null;
  }

  has(column) {
    return this.column(column).some((x) => Number.isFinite(x));
  }

  /** The picture that excites a feature most; null where none is known. */
  picture(row) {
    const { shown, pictures } = this.raw;
    if (row === undefined || !shown || !pictures) return null;
    const picture = rowOf(shown.picture, row)[0];
    return picture >= 0 ? picture : null;
  }

  get hasPictures() {
    return Boolean(this.raw.pictures && this.raw.shown);
  }

  profile(row) {
    return Array.from(rowOf(this.raw.profiles, row), (x) => x / 127);
  }
}

const DATA = JSON.parse(document.getElementById("data").textContent);
const RUNS = DATA.runs.map((raw, index) => new Run(raw, index));

/** For each run: what the comparison found in the other one, by row. */
const PARTNERS = (() => {
  const { comparison } = DATA;
  const partners = RUNS.map(() => new Map());
  if (!comparison || RUNS.length < 2) return partners;
  const [first, second, similarity, element] = ["first", "second", "similarity", "element"].map((name) =>
    numbers(comparison[name]),
  );
  first.forEach((number, i) => {
    const a = RUNS[0].rows.get(number);
    const b = RUNS[1].rows.get(second[i]);
    const pair = { first: a, second: b, similarity: similarity[i], element: element[i] };
    if (a !== undefined) partners[0].set(a, pair);
    if (b !== undefined) partners[1].set(b, pair);
  });
  return partners;
})();
const isMatch = (pair) =>
  pair && pair.first !== undefined && pair.second !== undefined && pair.similarity >= DATA.comparison.threshold;

/** The number of what the comparison found in the other run for a row; null if nothing. */
function partnerOf(run, row) {
  const pair = PARTNERS[run.index].get(row);
  const partner = pair && (run.index ? pair.first : pair.second);
  return partner === undefined ? null : RUNS[1 - run.index].number[partner];
}

/** How the partner in the other run lies to a feature, as a phrase. */
function relation(pair, runIndex) {
  const words = pair.element >= 0 ? RUNS[0].element(pair.element) : "";
  const by = DATA.comparison.measure === "cosine" ? "cosine" : "correlation";
  const how = `${by} ${cosine(pair.similarity)}`;
  if (!words) return how;
  if (words === "identity") return `as it is, ${how}`;
  return runIndex === 0 ? `${moved(words)}, ${how}` : `this one ${moved(words)}, ${how}`;
}
