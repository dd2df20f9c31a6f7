// The first screen: what was found, in a sentence and in pictures.

function Findings({ run }) {
  const { findings } = run.raw;
  if (!findings) return null;
  if (!findings.length) return html`<p class="all-well">The checks of the run found nothing wrong.${router.current.page !== "run" && html` <a href=${router.link("run")}>The run</a>`}</p>`;
  return html`<ul class="findings">
    ${findings.map((finding) => html`<li key=${finding.name}><strong><${Name}>${finding.message}<//></strong>${finding.advice && html`<span class="advice"><${Name}>${finding.advice}<//></span>`}</li>`)}
  </ul>`;
}

function FamilyLink({ run, family }) {
  return html`<a class="family" href=${router.link(`family-${family.label}`)}>
    <${Wheel} run=${run} family=${family} plain small />
    <span class="family-text"><strong>Family ${family.label}</strong><br /><${Name}>${countedFeatures(family.members.length + family.silent.length, family.main_kind)}<//><br />
      <span class="muted"><${Name}>${family.symmetry && capital(plainSymmetry(family.symmetry))}<//>, ${family.n_taken} of ${plural(family.n_poses, "pose")}</span></span>
  </a>`;
}

/** Kinds as one bar, so that their shares are seen at once. */
function KindBar({ run }) {
  const total = run.kinds.reduce((sum, kind) => sum + kind.count, 0) || 1;
  const present = run.kinds.filter((kind) => kind.count);
  return html`<div class="kind-bar" aria-hidden="true">${present.map((kind) => html`<span key=${kind.name} style=${{ flexGrow: kind.count / total, background: kind.color }}></span>`)}</div>
    <ul class="kind-list">
      ${present.map((kind) => html`<li key=${kind.name}><a href=${router.link("features", { kind: kind.name })}><${Kind} kind=${kind} /> <span class="muted">${integer(kind.count)}</span></a></li>`)}
    </ul>`;
}

function Overview({ run }) {
  const largest = run.families.slice(0, 6);
  return html`<${Heading} eyebrow=${DATA.title}><span class="sentence"><${Name}>${run.raw.sentence}<//></span><//>
    <${Findings} run=${run} />
    ${largest.length > 0 && html`<${Section} title="Largest families" note=${`Features that are one another's transformed copies. Each ${run.hasPictures ? DATA.noun : "place"} stands where the group carries the one in the middle; dashed places are poses that no feature has.`}>
      <div class="families">${largest.map((family) => html`<${FamilyLink} key=${family.label} run=${run} family=${family} />`)}</div>
      ${run.families.length > largest.length && html`<p><a class="onward" href=${router.link("families")}>All ${integer(run.families.length)} families</a></p>`}
    <//>`}
    <${Section} title="Kinds of features" note=${`${integer(run.n)} of ${integer(run.raw.n_features)} features are alive${run.raw.min_frequency ? `: they fire on at least ${percent(run.raw.min_frequency)} of the inputs` : ""}.`}>
      <${KindBar} run=${run} />
      <p><a class="onward" href=${router.link("features")}>All features</a> ${run.raw.map && html`<a class="onward" href=${router.link("map")}>The map</a>`}</p>
    <//>`;
}
