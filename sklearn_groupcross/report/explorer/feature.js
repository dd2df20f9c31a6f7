// The page of one feature.

function Certainty({ run, row }) {
  const confidence = run.column("confidence")[row];
  const runner = run.word("runner_up", row);
  const score = run.column("runner_up_score")[row];
  const remark = run.word("confidence_remark", row);
  const sentences = [];
  const kin = run.family(row) ? "it and its family are" : "it is";
  if (isKnown(confidence)) sentences.push(`In ${percent(confidence)} of resamples of the images ${kin} named so.${remark ? ` That is ${remark}.` : ""}`);
  else sentences.push(remark ? `No confidence is given: ${remark}.` : "How sure this is has not been measured.");
  if (runner) sentences.push(`The next that would fit is ${plainSymmetry(runner)}${isKnown(score) ? `, with a score of ${figure(score)}` : ""}.`);
  return html`<${Name}>${sentences.join(" ")}<//>`;
}

function Facts({ run, row }) {
  const column = (name) => run.column(name)[row];
  const family = run.family(row);
  const pose = run.element(column("pose"));
  const [period, halfWidth, axis] = ["period", "half_width", "axis"].map(column);
  const tuning = [isKnown(period) && (period === 0 ? "no turn changes it" : `back after ${degrees(period)}`), isKnown(halfWidth) && `half gone after ${degrees(halfWidth)}`, isKnown(axis) && `measured mirror axis at ${degrees(axis)}`].filter(Boolean);
  return html`<dl class="facts">
    <${Fact} name="Kind"><${Kind} kind=${run.kind(row)} /><//>
    <${Fact} name="Symmetry"><${Name}>${run.symmetry(row)}<//>${isKnown(column("energy")) && plainSymmetry(run.symmetry(row)) !== "no symmetry" && html`<span class="muted">: leaves ${percent(Math.min(1, column("energy")))} of it as it is, at worst cosine ${cosine(column("minimum"))}</span>`}<//>
    <${Fact} name="Certainty"><${Certainty} run=${run} row=${row} /><//>
    <${Fact} name="Family">${family ? html`<a href=${router.link(`family-${family.label}`)}>Family ${family.label}</a>${pose && html`<span class="muted">: the one in the middle, ${moved(pose)}</span>`}` : "Alone"}<//>
    <${Fact} name="Fires on">${percent(column("frequency"))} of the inputs as they are<//>
    ${isKnown(column("found_again")) && html`<${Fact} name="Found again">by ${percent(column("found_again"))} of the other runs<//>`}
    ${tuning.length > 0 && html`<${Fact} name="Tuning">${capital(tuning.join(", "))}<//>`}
    ${run.word("atom_symmetry", row) && run.word("atom_symmetry", row) !== run.symmetry(row) && html`<${Fact} name="Its atom"><${Name}>${run.word("atom_symmetry", row)}<//><//>`}
    ${run.word("own_symmetry", row) && run.family(row) && run.word("own_symmetry", row) !== run.word("atom_symmetry", row) && html`<${Fact} name="By itself"><${Name}>${run.word("own_symmetry", row)}<//><span class="muted">: its family as a whole is named otherwise</span><//>`}
    ${run.word("responses", row) && html`<${Fact} name="Responses"><${Name}>${/^(carry|lack)/.test(run.word("responses", row)) ? `The responses ${run.word("responses", row)}` : capital(run.word("responses", row))}<//><//>`}
    ${run.word("remark", row) && html`<${Fact} name="Remark"><${Name}>${capital(run.word("remark", row))}<//><//>`}
  </dl>`;
}

/** Where along the order of elements a label is worth its place. */
function blockTicks(group) {
  const { turns, order } = group;
  if (turns && group.degrees) {
    const quarter = [0, 0.5].map((t) => [t * turns, `${(360 * t)}°`]);
    if (order === turns) return [...quarter, [0.25 * turns, "90°"], [0.75 * turns, "270°"]];
    return [...quarter, [turns, "mirrored"], [turns * 1.5, "180°"]];
  }
  return [0, 0.5].map((t) => Math.floor(t * order)).map((g) => [g, group.elements[g]]);
}

function TransformBlock({ run, row }) {
  const { blocks } = run.raw;
  if (!blocks) return null;
  const side = 224;
  const ticks = blockTicks(run.group).filter(([place]) => place < run.group.order);
  const at = (place) => `${(100 * (place + 0.5)) / run.group.order}%`;
  return html`<figure class="block">
    <div class="block-frame">
      <div class="block-rows" aria-hidden="true">${ticks.map(([place, label]) => html`<span key=${place} style=${{ top: at(place) }}>${label}</span>`)}</div>
      <span class="block-tile" style=${tileStyle(blocks, row, side)} role="img" aria-label="Transform block: cosines between the atom's blocks for every two elements"></span>
      <div class="block-columns" aria-hidden="true">${ticks.map(([place, label]) => html`<span key=${place} style=${{ left: at(place) }}>${label}</span>`)}</div>
    </div>
    <figcaption>Cosine between what the atom is for one element (down) and for another (across).</figcaption>
  </figure>`;
}

function Profiles({ run, row }) {
  const { responses } = run.raw;
  const profile = run.profile(row);
  const least = Math.min(...profile) < -0.05 ? -1 : 0;
  const mean = responses && rowOf(responses.mean, row);
  const spread = responses && rowOf(responses.spread, row);
  const measured = mean && mean.some(isKnown);
  const known_ = (values) => Array.from(values, (x) => (isKnown(x) ? x : 0));
  const most = measured ? Math.max(1, Math.ceil(4 * Math.max(...known_(mean).map((x, i) => x + known_(spread)[i]))) / 4) : 1;
  return html`<div class="charts">
    ${run.group.axes.map((axis) => html`<div key=${axis.name} class="chart-pair">
      <div><h3>Its atom</h3><${AxisChart} run=${run} axis=${axis} values=${profile} least=${least} most=${1} yName="cosine of the atom with its own transformed copy" what="Self-profile" /></div>
      ${measured && html`<div><h3>Its responses</h3><${AxisChart} run=${run} axis=${axis} values=${known_(mean)} spread=${known_(spread)} least=${0} most=${most} yName=${`mean response to its ${plural(numbers(responses.n)[row], "strongest input")}, transformed, with its spread`} what="Mean response" /></div>`}
    </div>`)}
  </div>`;
}

function stepTo(run, row, step) {
  const rows = listRows(run, router.current.query);
  const place = rows.indexOf(row);
  if (place < 0) return null;
  const other = rows[place + step];
  return other === undefined ? null : run.number[other];
}

function Pager({ run, row }) {
  const [before, after] = [stepTo(run, row, -1), stepTo(run, row, 1)];
  const rows = listRows(run, router.current.query);
  const place = rows.indexOf(row);
  useEffect(() => {
    const onKey = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || /^(INPUT|SELECT|TEXTAREA|CANVAS)$/.test(event.target.tagName)) return;
      const target = event.key === "ArrowLeft" ? before : event.key === "ArrowRight" ? after : null;
      if (target !== null) router.go(`feature-${target}`);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [before, after]);
  const step = (target, words, sign, key) => target === null ? html`<span class="step" aria-hidden="true">${sign}</span>` : html`<a class="step" href=${router.link(`feature-${target}`)} rel=${key} aria-label=${`${words} feature, ${target}`} aria-keyshortcuts=${key === "prev" ? "ArrowLeft" : "ArrowRight"}>${sign}</a>`;
  return html`<nav class="pager" aria-label="Features in the list">
    ${step(before, "Previous", "←", "prev")}
    <a href=${router.link("features")}>${place < 0 ? "The list" : `${integer(place + 1)} of ${integer(rows.length)}`}</a>
    ${step(after, "Next", "→", "next")}
  </nav>`;
}

function FeaturePage({ run, number }) {
  const row = run.rows.get(number);
  if (row === undefined) return html`<${Heading}>No feature ${number}<//><p>${number >= 0 && number < run.raw.n_features ? `Feature ${number} of ${run.name} is dead or fires too seldom to be shown.` : `${run.name} has features 0 to ${run.raw.n_features - 1}.`} <a href=${router.link("features")}>All features</a></p>`;
  const { codes, raw } = { codes: run.raw.codes, raw: run.raw };
  const family = run.family(row);
  return html`<div class="feature-head">
      <div class="feature-picture"><${FeatureTile} run=${run} row=${row} size=${160} label=${`The strongest ${DATA.noun} of feature ${number}`} /></div>
      <div class="feature-title">
        <${Heading} eyebrow=${RUNS.length > 1 ? run.name : null}>Feature ${number}: <${Name}>${plainSymmetry(run.symmetry(row))}<//>${run.column("confidence")[row] < 0.5 && html`<span class="uncertain">, uncertain</span>`}<//>
        <div class="actions"><${Pager} run=${run} row=${row} /><${CopyLink} /><label class="check"><${SelectBox} number=${number} /> Select</label>${run.raw.map && html`<a href=${router.link("map", { at: String(number) })}>On the map</a>`}</div>
        <${InTheOtherRun} run=${run} row=${row} />
      </div>
    </div>
    <${Facts} run=${run} row=${row} />
    <${ShownPictures} run=${run} row=${row} key=${`s${run.index}`} />
    <${Views} run=${run} row=${row} />
    ${run.group.axes.length > 0 && html`<${Section} wide title="Under the group"><${Profiles} run=${run} row=${row} /><//>`}
    <div class="columns">
      ${raw.blocks && html`<${Section} title="Transform block"><${TransformBlock} run=${run} row=${row} /><//>`}
      <${Section} title="Spectrum" note="How its energy divides among the ways in which the group can act."><${ShareBars} names=${raw.irreps} shares=${Array.from(rowOf(raw.spectra, row), (x) => x / 255)} label="Shares of energy" /><//>
      ${codes && html`<${Section} title="Codes"><${Histogram} counts=${Array.from(rowOf(codes.counts, row))} largest=${numbers(codes.largest)[row]} silent=${numbers(codes.n_silent)[row]} fires=${run.column("frequency")[row]} /><//>`}
      ${family && html`<${Section} title=${`In family ${family.label}`}><div class="wheel-beside"><${Wheel} run=${run} family=${family} marked=${number} small /></div><p><a class="onward" href=${router.link(`family-${family.label}`)}>The family</a></p><//>`}
    </div>
    <${Neighbors} run=${run} row=${row} />
    <${Visualizations} run=${run} number=${number} />`;
}
