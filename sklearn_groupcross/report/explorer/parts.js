// Small things that every page is made of.

const MARKERS = {
  circle: "M0-4.2A4.2 4.2 0 1 1 0 4.2A4.2 4.2 0 1 1 0-4.2Z",
  square: "M-3.7-3.7H3.7V3.7H-3.7Z",
  triangle: "M0-4.9L4.6 3.6H-4.6Z",
  diamond: "M0-5.2L5.2 0L0 5.2L-5.2 0Z",
  cross: "M-1.5-4.6H1.5V-1.5H4.6V1.5H1.5V4.6H-1.5V1.5H-4.6V-1.5H-1.5Z",
  star: "M0-5.4L1.5-1.9L5.2-1.7L2.3 .8L3.3 4.5L0 2.4L-3.3 4.5L-2.3 .8L-5.2-1.7L-1.5-1.9Z",
};
const markerPath = (kind) => MARKERS[kind.marker] || MARKERS.circle;

const Marker = ({ kind }) =>
  html`<svg class="marker" viewBox="-6 -6 12 12" aria-hidden="true"><path d=${markerPath(kind)} fill=${kind.color} /></svg>`;

const Kind = ({ kind }) => html`<span class="kind" title=${kind.meaning}><${Marker} kind=${kind} />${kind.name}</span>`;

/** Names from outside keep their direction to themselves. */
const Name = ({ children }) => html`<bdi>${children}</bdi>`;

function Heading({ children, eyebrow }) {
  return html`<div class="heading">
    ${eyebrow && html`<p class="eyebrow">${eyebrow}</p>`}
    <h1 id="heading" tabindex="-1">${children}</h1>
  </div>`;
}

const Section = ({ title, note, children, wide }) => {
  const id = `s-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return html`<section class=${wide ? "wide" : ""} aria-labelledby=${id}>
    <h2 id=${id}>${title}</h2>
    ${note && html`<p class="note">${note}</p>`}
    ${children}
  </section>`;
};

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

const Button = ({ onClick, children, ...rest }) => html`<button type="button" onClick=${onClick} ...${rest}>${children}</button>`;

const CopyLink = () =>
  html`<${Button} onClick=${() => {
    router.flush();
    copyAndSay(location.href, "Link");
  }}>Copy link<//>`;

let withShift = false;

function SelectBox({ number }) {
  const checked = selection().has(number);
  // a click comes before the change, and knows of the key
  return html`<input type="checkbox" class="tick" checked=${checked} aria-label=${`Select feature ${number}`} onClick=${(event) => (withShift = event.shiftKey)} onChange=${() => tick(number, withShift)} />`;
}

/** A feature in a list of few: patch, number, name and what else there is to say. */
function Card({ run, row, size = 64, children, note }) {
  const number = run.number[row];
  return html`<a class="card" href=${router.link(`feature-${number}`)}>
    <${FeatureTile} run=${run} row=${row} size=${size} />
    <span class="card-text">
      <span class="card-name"><${Marker} kind=${run.kind(row)} />${number}</span>
      <span class="card-note"><${Name}>${note === undefined ? plainSymmetry(run.symmetry(row)) : note}<//></span>
      ${children}
    </span>
  </a>`;
}

/** Buttons for what is selected, wherever lists are. */
function SelectionBar({ run, rows }) {
  const chosen = selection();
  const listedNumbers = () => rows.map((row) => run.number[row]);
  const of = (set) => Array.from(set).map((number) => run.rows.get(number));
  const file = `${run.name}`.replace(/[^\w-]+/g, "-") || "features";
  return html`<div class="selection" role="group" aria-label="Selection">
    <span class="count">${chosen.size ? `${integer(chosen.size)} selected` : "Nothing selected"}</span>
    <${Button} onClick=${() => select([...chosen, ...listedNumbers()])} disabled=${!rows.length}>Select all ${integer(rows.length)} listed<//>
    <${Button} onClick=${() => select([])} disabled=${!chosen.size}>Clear<//>
    <${Button} onClick=${() => copyAndSay(pythonList(chosen), "Python list")} disabled=${!chosen.size}>Copy as Python list<//>
    <${Button} onClick=${() => download(`${file}-selected.csv`, csvTable(run, of(chosen)))} disabled=${!chosen.size}>CSV of the selection<//>
    <${Button} onClick=${() => download(`${file}.csv`, csvTable(run, rows))}>CSV of ${isFiltered(router.current.query) ? "this list" : "all"}<//>
  </div>`;
}
