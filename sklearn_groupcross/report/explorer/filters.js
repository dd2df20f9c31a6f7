// What narrows the lists and the map, the same everywhere.

function symmetriesOf(run) {
  const counts = new Map();
  run.column("symmetry").forEach((word) => counts.set(word, (counts.get(word) || 0) + 1));
  return Array.from(counts, ([word, count]) => [run.raw.words[word], count]).sort((a, b) => b[1] - a[1]);
}

const perRun = (compute) => {
  const kept = new Map();
  return (run) => {
    if (!kept.has(run)) kept.set(run, compute(run));
    return kept.get(run);
  };
};
const symmetries = perRun(symmetriesOf);
const known = perRun((run) => ({ confidence: run.has("confidence"), found: run.has("found_again") }));

/** Kinds to choose from, as [kind, count]; `chosen` and what goes to `onChange` are names with commas between. */
function KindChips({ kinds, chosen, onChange, label = "Kind" }) {
  const names = new Set((chosen || "").split(",").filter(Boolean));
  const flip = (name) => {
    if (!names.delete(name)) names.add(name);
    onChange(Array.from(names).join(","));
  };
  return html`<div class="chips" role="group" aria-label=${label}>
    ${kinds.map(([kind, count]) => html`<button type="button" key=${kind.name} aria-pressed=${String(names.has(kind.name))} title=${kind.meaning} onClick=${() => flip(kind.name)}><${Marker} kind=${kind} />${kind.name} <span class="muted">${integer(count)}</span></button>`)}
  </div>`;
}

function Least({ name, label, query }) {
  return html`<div class="field"><label for=${`filter-${name}`}>${label}</label>
    <span class="unit"><input id=${`filter-${name}`} type="number" min="0" max="100" step="any" inputmode="decimal" value=${query[name] || ""} placeholder="0" onInput=${(event) => router.change({ [name]: event.target.value })} /><span aria-hidden="true">%</span></span>
  </div>`;
}

function Filters({ run }) {
  const { query } = router.current;
  const { confidence, found } = known(run);
  const set = (name) => (event) => router.change({ [name]: event.target.value });
  const deeper = ["family", "symmetry", "frequency", "confidence", "found"].filter((name) => query[name]).length;
  const [open] = useState(deeper > 0);
  return html`<form class="filters" role="search" aria-label="Filter the features" onSubmit=${(event) => event.preventDefault()}>
    <div class="filters-first">
      <div class="field search"><label for="filter-q">Number or words</label>
        <input id="filter-q" type="search" value=${query.q || ""} placeholder="602, or: half turn" onInput=${set("q")} autocomplete="off" spellcheck=${false} />
      </div>
      <${KindChips} kinds=${run.kinds.filter((kind) => kind.count).map((kind) => [kind, kind.count])} chosen=${query.kind} onChange=${(kind) => router.change({ kind })} />
      ${isFiltered(query) && html`<${Button} onClick=${() => router.change(Object.fromEntries(FILTERS.map((name) => [name, ""])))}>Clear all filters<//>`}
    </div>
    ${asksForDirected(run, query.q) && html`<p class="note hint">Curves and edges are called directed here.</p>`}
    <details open=${open || undefined}>
      <summary>More filters${deeper ? ` (${deeper} in use)` : ""}</summary>
      <div class="fields">
        <div class="field"><label for="filter-family">Family</label>
          <select id="filter-family" value=${query.family || ""} onChange=${set("family")}>
            <option value="">any or none</option>
            <option value="any">in a family</option>
            <option value="alone">alone</option>
            ${run.families.map((family) => html`<option value=${String(family.label)} key=${family.label}>family ${family.label} (${family.members.length})</option>`)}
          </select>
        </div>
        <div class="field"><label for="filter-symmetry">Symmetry</label>
          <select id="filter-symmetry" value=${query.symmetry || ""} onChange=${set("symmetry")}>
            <option value="">any</option>
            ${symmetries(run).map(([word, n]) => html`<option value=${word} key=${word}>${word} (${n})</option>`)}
          </select>
        </div>
        <${Least} name="frequency" label="Fires on at least" query=${query} />
        ${confidence && html`<${Least} name="confidence" label="Confidence at least" query=${query} />`}
        ${found && html`<${Least} name="found" label="Found again at least" query=${query} />`}
      </div>
    </details>
  </form>`;
}
