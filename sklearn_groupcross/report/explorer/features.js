// Every live feature in one table.

/** The name; what has no column of its own for want of width stands under it. */
function FeatureCell({ run, row, width }) {
  const number = run.number[row];
  if (width >= SYMMETRY_FROM) return html`<a href=${router.link(`feature-${number}`)}>${number}</a>`;
  return html`<a class="feature-name" href=${router.link(`feature-${number}`)}><strong>${number}</strong> <span class="muted"><${Name}>${plainSymmetry(run.symmetry(row))}<//></span></a>
    ${width < KIND_FROM && html`<span class="under"><${Kind} kind=${run.kind(row)} /></span>`}`;
}

function Pictures({ run, row, width }) {
  const first = Array.from(rowOf(run.raw.shown.picture, row)).filter((picture) => picture >= 0).slice(0, width < 701 ? 1 : 3);
  return html`<a class="row-pictures" href=${router.link(`feature-${run.number[row]}`)} tabindex="-1" aria-hidden="true">${first.map((picture, i) => html`<${Tile} key=${i} run=${run} picture=${picture} size=${48} />`)}</a>`;
}

const SYMMETRY_FROM = 1021;
const KIND_FROM = 1021;

function featureColumns(run) {
  const { confidence, found } = known(run);
  const values = (name) => (row) => percent(run.column(name)[row]);
  const plurals = { patch: "Patches", signal: "Signals", input: "Inputs" };
  const columns = [
    { key: "select", label: "Select", hidden: true, className: "c-select", cell: (row) => html`<${SelectBox} number=${run.number[row]} />` },
    run.hasPictures && { key: "pictures", label: plurals[DATA.noun] || "Inputs", hidden: true, className: "c-pictures", cell: (row, width) => html`<${Pictures} run=${run} row=${row} width=${width} />` },
    { key: "number", label: "Feature", sorts: true, className: "c-name", cell: (row, width) => html`<${FeatureCell} run=${run} row=${row} width=${width} />` },
    { key: "kind", label: "Kind", sorts: true, from: KIND_FROM, className: "c-kind", cell: (row) => html`<${Kind} kind=${run.kind(row)} />` },
    { key: "symmetry", label: "Symmetry", sorts: true, from: SYMMETRY_FROM, className: "c-symmetry", cell: (row) => run.symmetry(row) },
    { key: "family", label: "Family", sorts: true, from: 701, className: "c-family number", cell: (row) => (run.family(row) ? html`<a href=${router.link(`family-${run.family(row).label}`)}>${run.family(row).label}</a>` : "–") },
    { key: "frequency", label: "Fires on", sorts: true, falls: true, className: "c-frequency number", cell: values("frequency") },
    confidence && { key: "confidence", label: "Confidence", sorts: true, falls: true, from: 701, className: "c-confidence number", cell: values("confidence") },
    found && { key: "found_again", label: "Found again", sorts: true, falls: true, from: 801, className: "c-found number", cell: values("found_again") },
    run.group.axes.length > 0 && { key: "profile", label: "Profile", from: 1181, className: "c-profile", cell: (row) => html`<${MiniProfile} run=${run} row=${row} />` },
  ];
  return columns.filter(Boolean);
}

function NoFeature({ run }) {
  const ways = [`a number such as ${run.number[0]}`, `a kind such as ${run.kind(0).name}`, `words of a symmetry such as “${symmetryType(plainSymmetry(run.symmetry(0)))}”`];
  if (run.raw.shown && numbers(run.raw.shown.image).some((word) => word >= 0)) ways.push("the name of an image");
  return html`<p class="nothing">No feature passes these filters. Clear some of them, or search for <${Name}>${ways.slice(0, -1).join(", ")} or ${ways[ways.length - 1]}<//>.</p>`;
}

function FeaturesPage({ run }) {
  const { query } = router.current;
  const rows = listRows(run, query);
  const columns = useMemo(() => featureColumns(run), [run]);
  const chosen = selection();
  const sort = (column, descending) => router.change({ sort: `${descending ? "-" : ""}${column}` });
  return html`<${Heading}>Features<//>
    <${Filters} run=${run} />
    <p class="listed" role="status">${rows.length === run.n ? `All ${plural(run.n, "live feature")}` : `${integer(rows.length)} of ${integer(run.n)} features`}</p>
    ${rows.length ? html`<${VirtualTable} items=${rows} columns=${columns} height=${68} sort=${sortOf(query)} onSort=${sort} keyOf=${(row) => row} isSelected=${(row) => chosen.has(run.number[row])} caption=${`Features of ${run.name}`} />` : html`<${NoFeature} run=${run} />`}
    <${SelectionBar} run=${run} rows=${rows} />`;
}
