// Numbers and short texts as people read them. No name from outside is ever markup: preact sets text.

const isKnown = (x) => typeof x === "number" && Number.isFinite(x);

/** A share as "71 %", with a second digit where the first alone says little. */
function percent(share) {
  if (!isKnown(share)) return "–";
  const x = 100 * share;
  if (x > 0 && x < 0.01) return "<\u00a00.01\u00a0%";
  if (x > 99.5 && x < 100) return ">\u00a099\u00a0%";
  return `${x === 0 || x >= 9.95 ? Math.round(x) : Number(x.toPrecision(2))}\u00a0%`;
}

const minus = (text) => text.replace("-", "−");
const cosine = (x) => (isKnown(x) ? minus(x.toFixed(2).replace(/^-(0\.00)$/, "$1")) : "–");
/** Angles of a grid, such as 11.25°, in full; measured ones to a tenth. */
const degrees = (x) => (isKnown(x) ? `${minus(String(Number(x.toFixed(Number.isInteger(16 * x) ? 4 : 1))))}°` : "–");
const integer = (x) => (isKnown(x) ? x.toLocaleString("en-US") : "–");
const figure = (x) => (isKnown(x) ? minus(String(Number(x.toPrecision(3)))) : "–");
/** Two decimals at most, as of responses. */
const brief = (x) => (isKnown(x) ? minus(String(Number(x.toFixed(2)))) : "–");
const plural = (n, one, many) => `${integer(n)} ${n === 1 ? one : many || `${one}s`}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** "18 directed features", "3 lines", "5 features": as they are called in a sentence. */
function countedFeatures(n, kind) {
  if (kind === "line" || kind === "grid") return plural(n, kind);
  return plural(n, kind && kind !== "other" ? `${kind} feature` : "feature");
}

function listed(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** "C2: half turn" is "half turn" to who knows no names of groups; "C1: none" is "no symmetry". */
function plainSymmetry(name) {
  const words = name.includes(": ") ? name.slice(name.indexOf(": ") + 2) : name;
  return words === "none" ? "no symmetry" : words || name;
}

/** "D1: mirror (axis 90°)" is of the type "D1: mirror", wherever its axis lies. */
const symmetryType = (name) => name.replace(/\s*\(ax[ie]s [^)]*\)/, "");

/** A sentence about the element that carries one feature to another. */
function moved(element) {
  if (element === "identity") return "as it is";
  if (element.startsWith("turn ")) {
    return `turned by ${element.slice(5).replace(", mirrored", ", after a mirror")}`;
  }
  return element;
}
