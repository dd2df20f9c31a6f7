// Two dictionaries side by side.

const VIEWS_OF_COMPARISON = ["matched", "first", "second"];

function comparedPairs() {
  const [first, second] = RUNS;
  const pairs = Array.from(PARTNERS[0].values()).filter(isMatch).sort((a, b) => b.similarity - a.similarity);
  const alone = (run) => {
    const found = [];
    for (let row = 0; row < run.n; row++) {
      const pair = PARTNERS[run.index].get(row);
      if (isMatch(pair)) continue;
      // what the other run has in its place may be a feature that is not shown
      const isNear = pair && partnerOf(run, row) !== null;
      found.push({ ...(isNear ? pair : { similarity: NaN, element: -1 }), [run.index ? "second" : "first"]: row });
    }
    const missing = (pair) => Number(Number.isNaN(pair.similarity));
    return found.sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : b.similarity - a.similarity));
  };
  return { matched: pairs, first: alone(first), second: alone(second) };
}
let comparedOnce = null;
const compared = () => (comparedOnce = comparedOnce || comparedPairs());

/** Pairs of which either number begins as typed; of several numbers, those that are among them. */
function searchPairs(pairs, typed) {
  const tokens = tokensOf(typed || "");
  if (!tokens.length) return pairs;
  const wanted = new Set(tokens);
  const passes = tokens.length > 1 ? (number) => wanted.has(number) : (number) => number.startsWith(tokens[0]);
  const numberOf = (run, row) => (row === undefined ? "" : String(run.number[row]));
  return pairs.filter(({ first, second }) => passes(numberOf(RUNS[0], first)) || passes(numberOf(RUNS[1], second)));
}

function betweenWords(pair) {
  const isPair = pair.element >= 0 && pair.first !== undefined && pair.second !== undefined;
  return isPair ? capital(moved(RUNS[0].element(pair.element))) : null;
}

/** Of screens too narrow for a column of their own, the words stand in a second line of the row. */
const BETWEEN_FROM = 701;
const BetweenBelow = ({ pair }) =>
  html`<span class="between-below"><span class="offstage">Between them: </span><${Name}>${betweenWords(pair) || "–"}<//></span>`;

function ComparedFeature({ run, row, width }) {
  if (row === undefined) return html`<span class="muted">none</span>`;
  const number = run.number[row];
  return html`<a class="compared" href=${router.link(`feature-${number}`, { run: run.index ? "1" : "" })}><${FeatureTile} run=${run} row=${row} size=${52} />
    <span><span class="card-name"><${Marker} kind=${run.kind(row)} />${number}</span>${width > 700 && html`<span class="symmetry"><${Name}>${plainSymmetry(run.symmetry(row))}<//></span>`}</span></a>`;
}

function ComparePage() {
  const { query } = router.current;
  const { comparison } = DATA;
  if (!comparison) return html`<${Heading}>Nothing to compare<//><p>This page holds one dictionary.</p>`;
  const width = useWidth();
  const view = VIEWS_OF_COMPARISON.includes(query.view) ? query.view : "matched";
  const pairs = compared();
  const [first, second] = RUNS;
  const names = { matched: "In both", first: `Only in ${first.name}`, second: `Only in ${second.name}` };
  const by = comparison.measure === "cosine" ? "Cosine" : "Correlation";
  const side = (run, isLeft) => ({ key: `run${run.index}`, label: run.name, className: "c-run", cell: (pair, width) => html`<${ComparedFeature} run=${run} row=${run.index ? pair.second : pair.first} width=${width} />${isLeft && width < BETWEEN_FROM && html`<${BetweenBelow} pair=${pair} />`}` });
  const similarity = { key: "similarity", label: by, className: "number c-similarity", cell: (pair) => cosine(pair.similarity) };
  const between = { key: "element", label: "Between them", from: BETWEEN_FROM, className: "c-element", cell: (pair) => (betweenWords(pair) ? html`<${Name}>${betweenWords(pair)}<//>` : html`<span class="muted">–</span>`) };
  const sides = view === "second" ? [side(second, true), side(first)] : [side(first, true), side(second)];
  const listed = searchPairs(pairs[view], query.pair);
  const share = (n, run) => `${integer(n)} of ${integer(run.n)} (${percent(n / run.n)})`;
  return html`<${Heading}>${first.name} and ${second.name}<//>
    <p class="sentence small">${share(pairs.matched.length, first)} features of ${first.name} have a partner in ${second.name}, with ${by.toLowerCase()} ${figure(comparison.threshold)} or more.</p>
    <p class="note"><${Name}>${comparison.how}<//></p>
    <div class="chips" role="group" aria-label="What is listed">${VIEWS_OF_COMPARISON.map((name) => html`<button type="button" key=${name} aria-pressed=${String(view === name)} onClick=${() => router.change({ view: name === "matched" ? "" : name })}>${names[name]} <span class="muted">${integer(pairs[name].length)}</span></button>`)}</div>
    <p class="note below">${view === "matched" ? `Between them: what carries the feature of ${second.name} to that of ${first.name}. The most alike first.` : `What has no partner, with the best there is in the other, if any: the nearest to a partner first.`}</p>
    <form class="field search pair-search" role="search" aria-label="Search the pairs" onSubmit=${(event) => event.preventDefault()}><label for="pair-number">Number in either</label>
      <input id="pair-number" type="search" inputmode="numeric" value=${query.pair || ""} placeholder="602, or: 602, 17" autocomplete="off" onInput=${(event) => router.change({ pair: event.target.value })} /></form>
    ${query.pair && html`<p class="listed" role="status">${integer(listed.length)} of ${integer(pairs[view].length)}</p>`}
    ${listed.length ? html`<${VirtualTable} key=${view} items=${listed} columns=${[...sides, similarity, between]} height=${width < BETWEEN_FROM ? 96 : 68} keyOf=${(pair) => `${pair.first}-${pair.second}`} caption=${names[view]} />` : html`<p class="nothing">${query.pair && pairs[view].length ? "None of these has such a number. Clear the search, or look in the other lists." : "None."}</p>`}`;
}
