// Curves, bars and histograms as SVG. Each has its figures in words for those who do not see it.

const CHART = { width: 440, height: 210, left: 44, right: 14, top: 12, bottom: 40 };

/** Places of ticks: at most nine, evenly spaced, the first among them. */
function tickPlaces(n) {
  const steps = [1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 45, 64].filter((step) => n / step <= 8);
  const even = steps.find((step) => n % step === 0) || steps[0] || Math.ceil(n / 8);
  return Array.from({ length: Math.ceil(n / even) }, (_, i) => i * even);
}

/** An axis of a group as places of ticks; once around, it ends where it began. */
function axisOf(axis) {
  const closed = axis.labels.length > 2 && axis.labels[0] === "0°";
  const ticks = tickPlaces(axis.labels.length).map((i) => [i, axis.labels[i]]);
  if (closed) ticks.push([axis.labels.length, "360°"]);
  return { closed, ticks, n: axis.labels.length + (closed ? 1 : 0) };
}

const AXIS_WORDS = { turn: "turned by", hue: "hue turned by", element: "element" };

/** Values over one axis of the group, a curve for each of its lines; `spread` is a band around. */
function AxisChart({ run, axis, values, spread, least, most, yName, what }) {
  const { closed, ticks, n } = axisOf(axis);
  const { width, height, left, right, top, bottom } = CHART;
  const long = ticks.some(([, label]) => label.length > 7);
  const floor = height + (long ? 44 : 0) - bottom - (long ? 44 : 0);
  const x = (i) => left + (n < 2 ? 0.5 : i / (n - 1)) * (width - left - right);
  const y = (value) => top + ((most - Math.min(most, Math.max(least, value))) / (most - least)) * (floor - top);
  const names = axis.curves || [];
  const curves = axis.elements.map((elements, c) => ({
    elements: closed ? [...elements, elements[0]] : elements,
    name: names[c] || "",
    style: ["solid", "dashed", "dotted"][c % 3],
  }));
  const line = (elements, at) => elements.map((e, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(at(e)).toFixed(1)}`).join("");
  const band = (elements) =>
    `${line(elements, (e) => values[e] + spread[e])}${[...elements].reverse().map((e, i) => `L${x(elements.length - 1 - i).toFixed(1)} ${y(values[e] - spread[e]).toFixed(1)}`).join("")}Z`;
  const rows = Array.from({ length: Math.floor((most - least) / 0.5 + 0.01) + 1 }, (_, i) => least + 0.5 * i).filter((v) => most - least <= 2 || Number.isInteger(v));
  const words = `${what}: ${curves.map((curve) => {
    const found = curve.elements.map((e) => values[e]);
    return `${curve.name ? `${curve.name} ` : ""}from ${brief(Math.min(...found))} to ${brief(Math.max(...found))}`;
  }).join("; ")}`;
  return html`<figure class="chart">
    <svg viewBox="0 0 ${width} ${height + (long ? 44 : 0)}" role="img" aria-label=${words}>
      ${rows.map((v) => html`<line class="rule" x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} /><text class="tick-text" x=${left - 8} y=${y(v) + 4} text-anchor="end">${figure(v)}</text>`)}
      ${ticks.map(([i, label]) => html`<line class="notch" x1=${x(i)} x2=${x(i)} y1=${floor} y2=${floor + 4} />
        <text class="tick-text" text-anchor=${long ? "end" : "middle"} ...${long ? { transform: `translate(${x(i) + 4} ${floor + 16}) rotate(-35)` } : { x: x(i), y: floor + 18 }}>${long && label.length > 16 ? `${label.slice(0, 15)}…` : label}</text>`)}
      ${spread && curves.map((curve) => html`<path class="band" d=${band(curve.elements)} />`)}
      ${curves.map((curve) => html`<path class="curve ${curve.style}" d=${line(curve.elements, (e) => values[e])} />`)}
      ${curves.map((curve) => curve.elements.map((e, i) => html`<circle class="hit" cx=${x(i)} cy=${y(values[e])} r="5"><title>${run.element(e)}: ${brief(values[e])}${spread ? ` ± ${brief(spread[e])}` : ""}</title></circle>`))}
    </svg>
    <figcaption>${capital(yName)}; ${AXIS_WORDS[axis.name] || axis.name}
      ${curves.length > 1 && curves.map((curve) => html` <span class="key"><svg viewBox="0 0 26 8" aria-hidden="true"><path class="curve ${curve.style}" d="M1 4H25" /></svg>${curve.name}</span>`)}
    </figcaption>
  </figure>`;
}

/** A profile so small that its shape alone is seen. */
function MiniProfile({ run, row }) {
  const axis = run.group.axes[0];
  if (!axis) return null;
  const values = rowOf(run.raw.profiles, row);
  const elements = axis.elements[0];
  const [w, h] = [104, 36];
  const d = elements.map((e, i) => `${i ? "L" : "M"}${((i / Math.max(1, elements.length - 1)) * w).toFixed(1)} ${(h / 2 - (values[e] / 127) * (h / 2 - 2)).toFixed(1)}`).join("");
  return html`<svg class="mini" viewBox="0 0 ${w} ${h}" aria-hidden="true"><path class="curve" d=${d} /></svg>`;
}

/** Shares in the order of their size; what is small is told together. */
function ShareBars({ names, shares, label }) {
  const order = names.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
  const shown = order.filter((i, place) => shares[i] >= 0.015 && place < 8);
  const rest = order.length - shown.length;
  const total = shares.reduce((a, b) => a + b, 0);
  const left = Math.max(0, 1 - shown.reduce((sum, i) => sum + shares[i], 0) / (total || 1));
  return html`<table class="bars"><caption class="offstage">${label}</caption><tbody>
    ${shown.map((i) => html`<tr><th scope="row">${names[i]}</th>
      <td><span class="bar"><span style=${{ width: `${100 * shares[i]}%` }}></span></span></td><td class="number">${percent(shares[i])}</td></tr>`)}
    ${rest > 0 && html`<tr class="muted"><th scope="row">${plural(rest, "other")}</th><td></td><td class="number">${percent(left)}</td></tr>`}
  </tbody></table>`;
}

function Histogram({ counts, largest, silent, fires }) {
  const { width, left, right, top } = CHART;
  const height = 170, floor = height - 36;
  const most = Math.max(1, ...counts);
  const step = (width - left - right) / counts.length;
  const total = counts.reduce((a, b) => a + b, 0);
  return html`<figure class="chart">
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label=${`Histogram of ${integer(total)} codes above 0, up to ${figure(largest)}; the fullest of ${counts.length} bins holds ${integer(most)}`}>
      ${[0, 0.5, 1].map((t) => html`<line class="rule" x1=${left} x2=${width - right} y1=${floor - t * (floor - top)} y2=${floor - t * (floor - top)} />`)}
      <text class="tick-text" x=${left - 8} y=${top + 4} text-anchor="end">${integer(most)}</text>
      <text class="tick-text" x=${left - 8} y=${floor + 4} text-anchor="end">0</text>
      ${Array.from(counts, (count, i) => html`<rect class="fill" x=${left + i * step + 0.5} width=${Math.max(1, step - 1)} y=${floor - (count / most) * (floor - top)} height=${(count / most) * (floor - top)}><title>${figure((i / counts.length) * largest)} to ${figure(((i + 1) / counts.length) * largest)}: ${integer(count)}</title></rect>`)}
      ${[0, 0.5, 1].map((t) => html`<text class="tick-text" x=${left + t * (width - left - right)} y=${floor + 18} text-anchor=${t === 1 ? "end" : t ? "middle" : "start"}>${figure(t * largest)}</text>`)}
    </svg>
    <figcaption>How strongly it fires on inputs, each under the element that excites it most: on ${integer(total)}, and not at all on ${integer(silent)}. As they are, ${percent(fires)} of inputs make it fire.</figcaption>
  </figure>`;
}
