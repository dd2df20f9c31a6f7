// The map: all features on a canvas, to move about in and to select from.

const mapPoints = perRun((run) => new MapPoints(run));

function themeColors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--ink"), faint: of("--faint"), accent: of("--accent"), wash: of("--wash") };
}

/** The canvas with its gestures; what it shows comes from outside, what was meant goes out. */
class MapSurface {
  constructor(canvas, callbacks) {
    this.canvas = canvas;
    this.callbacks = callbacks;
    this.view = null;
    this.pointers = new Map();
    this.scene = null;
    this.frame = 0;
    this.stops = [];
    const on = (target, type, handler, options) => {
      target.addEventListener(type, handler, options);
      this.stops.push(() => target.removeEventListener(type, handler, options));
    };
    on(canvas, "pointerdown", (event) => this.press(event));
    on(canvas, "pointermove", (event) => this.move(event));
    on(canvas, "pointerup", (event) => this.release(event));
    on(canvas, "pointercancel", (event) => this.release(event, true));
    on(canvas, "pointerleave", () => callbacks.hover(-1));
    on(canvas, "wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), this.place(event));
    }, { passive: false });
    on(canvas, "keydown", (event) => this.key(event));
    const observer = new ResizeObserver(() => this.redraw());
    observer.observe(canvas);
    this.stops.push(() => observer.disconnect());
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.stops.forEach((stop) => stop());
  }

  show(scene) {
    const isOther = this.scene && this.scene.run !== scene.run;
    this.scene = scene;
    if (isOther) this.view = null;
    this.redraw();
  }

  redraw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const { canvas, scene } = this;
    const { width, height } = canvas.getBoundingClientRect();
    if (!scene || !width) return;
    const ratio = Math.min(3, devicePixelRatio || 1);
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const fit = Math.max(40, Math.min(width, height) - 48);
    if (!this.view || Math.abs(this.view.fit - fit) > 1) {
      this.view = { fit, scale: fit, x: (width - fit) / 2, y: (height - fit) / 2 };
    }
    const path = this.path && (this.rectangle ? this.corners() : this.path);
    drawMap(canvas.getContext("2d"), {
      ...scene, view: this.view, size: { width, height }, ratio, path, theme: themeColors(), redraw: () => this.redraw(),
    });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  corners() {
    const [[ax, ay], [bx, by]] = [this.path[0], this.path[this.path.length - 1]];
    return [[ax, ay], [bx, ay], [bx, by], [ax, by]];
  }

  rowAt([x, y], within = 12) {
    const { view, scene } = this;
    if (!view) return -1;
    return scene.points.nearest((x - view.x) / view.scale, (y - view.y) / view.scale, within / view.scale, scene.listed);
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.place(event);
    this.pointers.set(event.pointerId, place);
    this.start = place;
    this.dragged = false;
    this.rectangle = event.shiftKey || this.scene.mode === "rectangle";
    this.path = this.pointers.size === 1 && (this.rectangle || this.scene.mode === "lasso") ? [place] : null;
  }

  move(event) {
    const place = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.callbacks.hover(this.rowAt(place), place);
      return;
    }
    if (Math.hypot(place[0] - this.start[0], place[1] - this.start[1]) > 4) this.dragged = true;
    if (this.pointers.size > 1) {
      const [other] = Array.from(this.pointers).find(([id]) => id !== event.pointerId) ? [Array.from(this.pointers).find(([id]) => id !== event.pointerId)[1]] : [before];
      const spread = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      this.zoom(spread(place) / spread(before), other);
    } else if (this.path) {
      this.path.push(place);
    } else if (this.dragged) {
      this.view.x += place[0] - before[0];
      this.view.y += place[1] - before[1];
    }
    this.pointers.set(event.pointerId, place);
    this.redraw();
  }

  release(event, cancelled) {
    this.pointers.delete(event.pointerId);
    const { path, view, scene } = this;
    this.path = null;
    if (cancelled) return this.redraw();
    if (path && this.dragged) {
      const polygon = this.rectangle ? [path[0], [path[path.length - 1][0], path[0][1]], path[path.length - 1], [path[0][0], path[path.length - 1][1]]] : path;
      const inside = polygon.map(([x, y]) => [(x - view.x) / view.scale, (y - view.y) / view.scale]);
      this.callbacks.choose(scene.points.within(inside, scene.listed));
    } else if (!this.dragged) {
      this.callbacks.pick(this.rowAt(this.place(event), event.pointerType === "touch" ? 24 : 12), event.shiftKey || event.ctrlKey || event.metaKey);
    }
    return this.redraw();
  }

  zoom(factor, about) {
    const { view, canvas } = this;
    if (!view) return;
    const box = canvas.getBoundingClientRect();
    const [x, y] = about || [box.width / 2, box.height / 2];
    const scale = Math.max(view.fit * 0.5, Math.min(view.fit * 200, view.scale * factor));
    const grown = scale / view.scale;
    Object.assign(view, { scale, x: x + (view.x - x) * grown, y: y + (view.y - y) * grown });
    this.redraw();
  }

  reset() {
    this.view = null;
    this.redraw();
  }

  key(event) {
    const steps = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    if (event.key in steps && this.view) {
      this.view.x += steps[event.key][0];
      this.view.y += steps[event.key][1];
      this.redraw();
    } else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") this.reset();
    else if (event.key === "Enter" && this.view) {
      const { width, height } = this.canvas.getBoundingClientRect();
      this.callbacks.open(this.rowAt([width / 2, height / 2], Infinity));
    }
    else return;
    event.preventDefault();
  }
}

const COLOR_NAMES = {
  kind: "kind", family: "family", symmetry: "symmetry", frequency: "how often it fires", confidence: "confidence", found_again: "found again",
};
const MODES = { move: "Move", lasso: "Lasso", rectangle: "Rectangle" };

function Legend({ colors }) {
  if (colors.ends) {
    return html`<div class="legend ramp"><span>${colors.ends[0]}</span><span class="ramp-bar" style=${{ background: `linear-gradient(90deg, ${RAMP.join(",")})` }}></span><span>${colors.ends[1]}</span>${colors.isLog && html`<span class="muted">each step a factor</span>`}</div>`;
  }
  const swatch = (entry) => (entry.kind ? html`<${Marker} kind=${entry.kind} />` : html`<span class="swatch" style=${{ background: entry.color }}></span>`);
  return html`<ul class="legend">${colors.entries.map((entry) => html`<li key=${entry.name}>${swatch(entry)}<span class="legend-name"><${Name}>${entry.name}<//></span> <span class="muted">${integer(entry.count)}</span></li>`)}</ul>`;
}

function MapCard({ run, row, pinned }) {
  if (row < 0) return html`<div class="map-card empty"><p class="muted">Point at a feature to see it; click to keep it here. Drag to move, turn the wheel to zoom; with shift, drag to select.</p></div>`;
  const number = run.number[row];
  return html`<div class="map-card">
    <${FeatureTile} run=${run} row=${row} size=${128} label=${`The strongest ${DATA.noun} of feature ${number}`} />
    <p class="card-title"><a href=${router.link(`feature-${number}`)}>Feature ${number}</a></p>
    <p><${Kind} kind=${run.kind(row)} />, <${Name}>${plainSymmetry(run.symmetry(row))}<//></p>
    <p class="muted">Fires on ${percent(run.column("frequency")[row])}${run.family(row) && html`, <a href=${router.link(`family-${run.family(row).label}`)}>family ${run.family(row).label}</a>`}</p>
    ${pinned && html`<label class="check"><${SelectBox} number=${number} /> selected</label>`}
  </div>`;
}

function MapPage({ run }) {
  const { query } = router.current;
  const canvas = useRef(null);
  const surface = useRef(null);
  const [mode, setMode] = useState("move");
  const [hovered, setHovered] = useState(-1);
  const by = COLORS.includes(query.color) && (run.has(query.color) || ["kind", "family", "symmetry"].includes(query.color)) ? query.color : "kind";
  const rows = listRows(run, query);
  const colors = useMemo(() => coloring(run, by), [run, by]);
  const pinned = run.rows.has(Number(query.at)) && query.at ? run.rows.get(Number(query.at)) : -1;
  const chosen = selection();
  useLayoutEffect(() => {
    surface.current = new MapSurface(canvas.current, {
      hover: (row) => setHovered(row),
      choose: (found) => {
        select([...selection(), ...found.map((row) => currentRun().number[row])]);
        announce(`${plural(found.length, "feature")} selected`);
      },
      open: (row) => row >= 0 && router.go(`feature-${currentRun().number[row]}`),
      pick: (row, more) => {
        if (row < 0) return router.change({ at: "" });
        const number = currentRun().number[row];
        return more ? toggle(number) : router.change({ at: String(number) });
      },
    });
    return () => surface.current.stop();
  }, []);
  useLayoutEffect(() => surface.current.show({ run, points: mapPoints(run), listed: rows, colors, chosen, hovered, pinned, mode }));
  const words = `Map of ${integer(run.n)} features, ${integer(rows.length)} of them listed. Arrow keys move, plus and minus zoom, Enter opens the feature nearest to the middle. The page Features lists the same features.`;
  return html`<${Heading}>Map of the features<//>
    <${Filters} run=${run} />
    <div class="map-layout">
      <div class="map-main">
        <div class="toolbar" role="toolbar" aria-label="Map">
          <div class="chips" role="group" aria-label="What dragging does">${Object.entries(MODES).map(([key, name]) => html`<button type="button" key=${key} aria-pressed=${String(mode === key)} onClick=${() => setMode(key)}>${name}</button>`)}</div>
          <div class="chips"><button type="button" aria-label="Zoom in" onClick=${() => surface.current.zoom(1.5)}>+</button><button type="button" aria-label="Zoom out" onClick=${() => surface.current.zoom(1 / 1.5)}>−</button><button type="button" onClick=${() => surface.current.reset()}>Whole map</button></div>
          <div class="field inline"><label for="map-color">Colour</label> <select id="map-color" value=${by} onChange=${(event) => router.change({ color: event.target.value })}>
            ${COLORS.filter((name) => ["kind", "family", "symmetry"].includes(name) || run.has(name)).map((name) => html`<option value=${name} key=${name}>${COLOR_NAMES[name]}</option>`)}
          </select></div>
        </div>
        <canvas ref=${canvas} class="map ${mode}" tabindex="0" role="img" aria-label=${words}></canvas>
        <p class="note"><${Name}>${run.raw.map.caption}<//></p>
      </div>
      <aside class="map-side" aria-label="Legend and feature">
        <${MapCard} run=${run} row=${hovered >= 0 ? hovered : pinned} pinned=${hovered < 0 || hovered === pinned} />
        <${Legend} colors=${colors} />
        ${by !== "kind" && html`<${Legend} colors=${{ entries: run.kinds.filter((kind) => kind.count).map((kind) => ({ kind: { ...kind, color: "currentColor" }, name: kind.name, count: kind.count })) }} />`}
        <${SelectionBar} run=${run} rows=${rows} />
      </aside>
    </div>`;
}
