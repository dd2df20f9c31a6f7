// All families of a run, narrowed by kind and sorted.

const FAMILIES_AT_ONCE = 24;
const coverage = (family) => family.n_taken / family.n_poses;
const FAMILY_ORDERS = {
  size: { name: "size", words: "The largest first.", key: (family) => -family.members.length },
  coverage: { name: "coverage", words: "Those with the largest share of their poses first.", key: (family) => -coverage(family) },
  found: { name: "found again", words: "Those that most other runs found again first.", key: (family) => (isKnown(family.found_again) ? -family.found_again : 1) },
  number: { name: "number", words: "By number.", key: (family) => family.label },
};

/** The kinds that most members of a family have, each with the number of such families. */
const kindsOfFamilies = perRun((run) => {
  const counts = new Map();
  run.families.forEach(({ main_kind: name }) => name && counts.set(name, (counts.get(name) || 0) + 1));
  return run.kinds.filter((kind) => counts.has(kind.name)).map((kind) => [kind, counts.get(kind.name)]);
});

function listFamilies(run, query) {
  const kinds = new Set((query.kind || "").split(",").filter(Boolean));
  const kept = run.families.filter((family) => !kinds.size || kinds.has(family.main_kind));
  const { key } = FAMILY_ORDERS[familyOrder(query)];
  return kept.sort((a, b) => key(a) - key(b) || b.members.length - a.members.length || a.label - b.label);
}

const familyOrder = (query) => (Object.hasOwn(FAMILY_ORDERS, query.order || "") ? query.order : "size");

function Families({ run }) {
  const { query } = router.current;
  const order = familyOrder(query);
  const families = listFamilies(run, query);
  const steps = Math.max(0, Math.floor(Number(query.more)) || 0);
  const n = FAMILIES_AT_ONCE * (1 + steps);
  const isFoundAgainKnown = run.families.some((family) => isKnown(family.found_again));
  return html`<${Heading}>${plural(run.families.length, "family", "families")}<//>
    <p class="note">${FAMILY_ORDERS[order].words} Features of a family have an average distance below ${figure(run.raw.family_distance)}, whatever the transformation between them, and one symmetry for all members.</p>
    <div class="toolbar">
      <${KindChips} label="Kind of most members" kinds=${kindsOfFamilies(run)} chosen=${query.kind} onChange=${(kind) => router.change({ kind, more: "" })} />
      <div class="field inline"><label for="family-order">Sorted by</label> <select id="family-order" value=${order} onChange=${(event) => router.change({ order: event.target.value === "size" ? "" : event.target.value })}>
        ${Object.entries(FAMILY_ORDERS).filter(([key]) => key !== "found" || isFoundAgainKnown).map(([key, { name }]) => html`<option value=${key} key=${key}>${name}</option>`)}
      </select></div>
    </div>
    ${query.kind && html`<p class="listed" role="status">${integer(families.length)} of ${plural(run.families.length, "family", "families")}</p>`}
    ${!families.length && html`<p class="nothing">No family is mostly of this kind. <${Button} onClick=${() => router.change({ kind: "", more: "" })}>Show all families<//></p>`}
    <div class="families">${families.slice(0, n).map((family) => html`<${FamilyLink} key=${family.label} run=${run} family=${family} />`)}</div>
    ${n < families.length && html`<p><${Button} onClick=${() => router.change({ more: String(steps + 1) })}>Show ${Math.min(FAMILIES_AT_ONCE, families.length - n)} more<//></p>`}`;
}
