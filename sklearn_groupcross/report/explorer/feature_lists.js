// The parts of a feature's page that show inputs and other features.

/** Where the feature fires over a picture: its codes around, as a wash of colour. */
function FiringOverlay({ values, shape }) {
  const canvas = useRef(null);
  useLayoutEffect(() => {
    const [height, width] = shape;
    const context = canvas.current.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) image.data.set([255, 96, 0, Math.round(0.8 * values[i])], 4 * i);
    context.putImageData(image, 0, 0);
  }, [values]);
  return html`<canvas ref=${canvas} class="firing" width=${shape[1]} height=${shape[0]} aria-hidden="true"></canvas>`;
}

function ShownPictures({ run, row }) {
  const { shown, pictures, words } = run.raw;
  const [overlay, setOverlay] = useState(false);
  if (!pictures || !shown) return null;
  const [picture, code, image] = [shown.picture, shown.code, shown.image].map((array) => rowOf(array, row));
  const firing = shown.firing && rowOf(shown.firing.values, row);
  const area = firing ? shown.firing.shape[0] * shown.firing.shape[1] : 0;
  const present = shown.words.map((_, i) => i).filter((i) => picture[i] >= 0);
  if (!present.length) return null;
  return html`<${Section} wide title=${`What excites it`} note=${`The strongest ${DATA.noun} first, each of another image where there are enough; figures are the code relative to it.`}>
    ${firing && html`<label class="check"><input type="checkbox" checked=${overlay} onChange=${(event) => setOverlay(event.target.checked)} /> Show where it fires</label>`}
    <ul class="shown">
      ${present.map((i) => html`<li key=${i}>
        <${Tile} run=${run} picture=${picture[i]} size=${96} label=${`${capital(shown.words[i])} ${DATA.noun}`}>${overlay && firing && html`<${FiringOverlay} values=${firing.subarray(i * area, (i + 1) * area)} shape=${shown.firing.shape} />`}<//>
        <span class="shown-words">${shown.words[i]}</span>
        <span class="muted">${brief(code[i])}</span>
        ${image[i] >= 0 && html`<span class="muted file" title=${words[image[i]]}><${Name}>${words[image[i]].split("/").pop()}<//></span>`}
      </li>`)}
    </ul>
  <//>`;
}

function ResponseBar({ mean, spread, most }) {
  const at = (x) => `${Math.max(0, Math.min(100, (100 * x) / most))}%`;
  const known_ = isKnown(spread);
  return html`<span class="response" aria-hidden="true"><span class="response-bar" style=${{ width: at(mean) }}></span>
    ${known_ && html`<span class="whisker" style=${{ left: at(mean - spread), right: `${100 - parseFloat(at(mean + spread))}%` }}></span>`}</span>`;
}

function Views({ run, row }) {
  const { views, responses, pictures } = run.raw;
  if (!views) return null;
  const picture = pictures ? rowOf(views.picture, row) : null;
  const mean = responses && rowOf(responses.mean, row);
  const spread = responses && rowOf(responses.spread, row);
  const isMeasured = mean && views.elements.some((element) => isKnown(mean[element]));
  if (!isMeasured && !(picture && picture.some((p) => p >= 0))) return null;
  // what the name says, and what the next name would, is to be seen too
  const { css_of_element: cssOf } = views;
  const named = cssOf ? [run.symmetry(row), run.word("runner_up", row)].flatMap((name) => (run.raw.symmetry_elements[name] || []).slice(0, 4)) : [];
  const extra = [...new Set(named)].filter((element) => !views.elements.includes(element));
  const columns = views.elements.map((element, i) => [element, views.css[i], picture ? picture[i] : -1]).concat(extra.map((element) => [element, cssOf[element], picture ? picture[0] : -1]));
  const most = isMeasured ? Math.max(1, ...columns.map(([e]) => (isKnown(mean[e]) ? mean[e] + (isKnown(spread[e]) ? spread[e] : 0) : 0))) : 1;
  return html`<${Section} wide title=${`The strongest ${DATA.noun}, transformed`} note=${isMeasured ? `Bars: the mean response to its ${plural(numbers(responses.n)[row], "strongest input")}, transformed like this, relative to what each gives as it is; the line is the spread between them.` : null}>
    <ul class="views">
      ${columns.map(([element, css, tile], i) => html`<li key=${i}>
        ${tile >= 0 && html`<${Tile} run=${run} picture=${tile} size=${80} css=${css} label=${`The strongest ${DATA.noun}, ${run.element(element)}`} />`}
        <span class="shown-words"><${Name}>${run.element(element)}<//></span>
        ${isMeasured && isKnown(mean[element]) && html`<${ResponseBar} mean=${mean[element]} spread=${spread[element]} most=${most} />
          <span class="muted">${brief(mean[element])}${isKnown(spread[element]) && ` ±\u00a0${brief(spread[element])}`}</span>`}
      </li>`)}
    </ul>
  <//>`;
}

function Neighbors({ run, row }) {
  const { neighbors } = run.raw;
  if (!neighbors) return null;
  const [rows, similarity, element] = [neighbors.row, neighbors.similarity, neighbors.element].map((array) => rowOf(array, row));
  const found = Array.from(rows).map((other, i) => [other, i]).filter(([other]) => other >= 0);
  if (!found.length) return null;
  return html`<${Section} wide title="Nearest features" note="Each with what carries it to this one, and the cosine that is left.">
    <div class="cards">${found.map(([other, i]) => html`<${Card} key=${other} run=${run} row=${other} note=${capital(moved(run.element(element[i])))}><span class="card-figure">cosine ${cosine(similarity[i] / 127)}</span><//>`)}</div>
  <//>`;
}

function Visualizations({ run, number }) {
  const { visualizations } = run.raw;
  const own = visualizations && visualizations.features[String(number)];
  if (!own || !own.length) return null;
  const pictures = (list, what) => list.map((picture, i) => html`<figure key=${what + i}><img src=${picture.src} alt=${`${what}: ${picture.words}`} /><figcaption>${what}, <${Name}>${picture.words}<//></figcaption></figure>`);
  return html`<${Section} wide title="Made by optimization" note=${html`<${Name}>${visualizations.note}<//>`}>
    <div class="visualizations">${pictures(own, "This feature")}${pictures(visualizations.control || [], "Random mixture")}</div>
  <//>`;
}

/** What the other dictionary has in this feature's place. */
function InTheOtherRun({ run, row }) {
  if (RUNS.length < 2 || !DATA.comparison) return null;
  const other = RUNS[1 - run.index];
  const pair = PARTNERS[run.index].get(row);
  const partner = pair && (run.index === 0 ? pair.second : pair.first);
  if (partner === undefined || !pair) return html`<p class="other-run">In ${other.name}: nothing in its place.</p>`;
  const number = other.number[partner];
  return html`<p class="other-run"><a href=${router.link(`feature-${number}`, { run: String(other.index) })}><${FeatureTile} run=${other} row=${partner} size=${48} />
    <span>In ${other.name}: feature ${number}, ${relation(pair, run.index)}</span></a>${!isMatch(pair) && html`<span class="muted"> Below ${figure(DATA.comparison.threshold)}: not taken for the same.</span>`}</p>`;
}
