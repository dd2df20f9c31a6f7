// The page of one family.

function Gaps({ run, family }) {
  if (!family.gaps.length) return html`<p>Every pose is taken.</p>`;
  if (family.gap_words && family.gap_words.length) {
    return html`<p>No feature where these carry the one in the middle.</p>
      ${family.gap_words.map(([name, text], i) => html`<p key=${i}><${Name}>${name ? `${capital(name)}: ${text}` : text}<//></p>`)}`;
  }
  const words = family.gaps.map((element) => run.element(element));
  return html`<p>No feature where these carry the one in the middle: <${Name}>${listed(words.slice(0, 40))}<//>${words.length > 40 && ` and ${words.length - 40} more`}.</p>`;
}

function Members({ run, family }) {
  const [n, setN] = useState(60);
  const order = family.members.map((number, i) => i).sort((a, b) => family.poses[a] - family.poses[b] || family.members[a] - family.members[b]);
  return html`<div class="cards">${order.slice(0, n).map((i) => {
      const number = family.members[i];
      const row = run.rows.get(number);
      if (row === undefined) return null;
      return html`<${Card} key=${number} run=${run} row=${row} note=${number === family.medoid ? "In the middle" : capital(moved(run.element(family.poses[i])))}><span class="card-figure">cosine ${cosine(family.similarities[i])}</span><//>`;
    })}</div>
    ${n < order.length && html`<p><${Button} onClick=${() => setN(order.length)}>Show all ${order.length}<//></p>`}`;
}

function FamilyPage({ run, number }) {
  const family = run.familyOf.get(number);
  if (!family) return html`<${Heading}>No family ${number}<//><p><a href=${router.link("families")}>All families</a></p>`;
  const place = run.families.indexOf(family);
  const [before, after] = [run.families[place - 1], run.families[place + 1]];
  const near = (family.near || []).filter((other) => run.familyOf.has(other.label));
  return html`<${Heading} eyebrow=${`Family ${family.label}${RUNS.length > 1 ? `, ${run.name}` : ""}`}><${Name}>${countedFeatures(family.members.length + family.silent.length, family.main_kind)}<//> in ${family.n_taken} of ${plural(family.n_poses, "pose")}<//>
    ${family.description && html`<p><${Name}>${capital(family.description)}<//></p>`}
    <div class="actions"><nav class="pager" aria-label="Families">
        ${before ? html`<a class="step" href=${router.link(`family-${before.label}`)} aria-label=${`Previous family, ${before.label}`}>←</a>` : html`<span class="step" aria-hidden="true">←</span>`}
        <a href=${router.link("families")}>${place + 1} of ${run.families.length}</a>
        ${after ? html`<a class="step" href=${router.link(`family-${after.label}`)} aria-label=${`Next family, ${after.label}`}>→</a>` : html`<span class="step" aria-hidden="true">→</span>`}
      </nav><${CopyLink} /><${Button} onClick=${() => select([...selection(), ...family.members])}>Select its ${plural(family.members.length, "feature")}<//></div>
    <div class="family-layout">
      <div><${Wheel} run=${run} family=${family} /><p class="note"><${Name}>${capital(family.wheel.caption)}<//></p></div>
      <div>
        <dl class="facts">
          <${Fact} name="Features">${integer(family.members.length)}${family.kinds && family.kinds.includes(",") && html`: <span class="muted"><${Name}>${family.kinds}<//></span>`}<//>
          ${family.silent.length > 0 && html`<${Fact} name="Not shown">${family.silent.length === 1 ? "Feature" : "Features"} ${listed(family.silent.map(String))}, which fire${family.silent.length === 1 ? "s" : ""} on too few of these inputs<//>`}
          <${Fact} name="Coverage">${family.n_taken} of ${plural(family.n_poses, "pose")}, ${percent(family.n_taken / family.n_poses)}<//>
          <${Fact} name="Symmetry"><${Name}>${family.symmetry}<//><//>
          <${Fact} name="In the middle"><a href=${router.link(`feature-${family.medoid}`)}>Feature ${family.medoid}</a><//>
          <${Fact} name="Spread">${figure(family.spread)}<span class="muted"> mean distance to the one in the middle</span><//>
          ${isKnown(family.found_again) && html`<${Fact} name="Found again">by ${percent(family.found_again)} of the other runs, on average<//>`}
          <${Fact} name="Gaps"><${Gaps} run=${run} family=${family} /><//>
          ${near.length > 0 && html`<${Fact} name="Near families">${near.map((other) => html`<a class="near" key=${other.label} href=${router.link(`family-${other.label}`)}>family ${other.label} <span class="muted">${figure(other.distance)}</span></a>`)}<//>`}
        </dl>
        <p><a class="onward" href=${router.link("features", { family: String(family.label) })}>In the table</a> ${run.raw.map && html`<a class="onward" href=${router.link("map", { family: String(family.label) })}>On the map</a>`}</p>
      </div>
    </div>
    <${Section} wide title="Members"><${Members} run=${run} family=${family} key=${family.label} /><//>`;
}
