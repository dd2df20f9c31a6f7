// What the map draws: colours, markers, and which point lies where.

// Okabe and Ito's colours and Tol's: told apart by most who see colours otherwise
const CATEGORIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#999933", "#44aa99", "#aa4499"];
const REST = "#9aa0a6";
const RAMP = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#e8d526"];

function rampColor(t) {
  const place = Math.max(0, Math.min(1, t)) * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(place));
  const channel = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mix = [0, 1, 2].map((i) => Math.round(channel(RAMP[low], i) + (place - low) * (channel(RAMP[low + 1], i) - channel(RAMP[low], i))));
  return `rgb(${mix.join(",")})`;
}

/** For each row the first word of its type of symmetry: axes would be told apart by colours that say nothing. */
function symmetryTypes(run) {
  const firstOf = new Map();
  return run.column("symmetry").map((word) => {
    if (word < 0) return -1;
    const type = symmetryType(run.raw.words[word]);
    if (!firstOf.has(type)) firstOf.set(type, word);
    return firstOf.get(type);
  });
}

/** Colours of all rows with what the legend says of them. */
function coloring(run, by) {
  if (by === "kind") {
    return {
      color: (row) => run.kind(row).color,
      entries: run.kinds.filter((kind) => kind.count).map((kind) => ({ kind, name: kind.name, count: kind.count })),
    };
  }
  if (by === "family" || by === "symmetry") {
    const column = by === "family" ? run.column("family") : symmetryTypes(run);
    const counts = new Map();
    column.forEach((value) => counts.set(value, (counts.get(value) || 0) + 1));
    counts.delete(-1);
    const largest = Array.from(counts).sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, CATEGORIES.length);
    const colors = new Map(largest.map(([value], i) => [value, CATEGORIES[i]]));
    const rest = run.n - largest.reduce((sum, [, n]) => sum + n, 0);
    const entries = largest.map(([value, count]) => ({
      color: colors.get(value), count,
      name: by === "family" ? `family ${value}` : symmetryType(run.raw.words[value]),
    }));
    if (rest) entries.push({ color: REST, name: by === "family" ? "smaller families and none" : "others", count: rest });
    return { color: (row) => colors.get(column[row]) || REST, entries };
  }
  const values = run.column(by);
  const isLog = by === "frequency";
  const found = Array.from(values).filter((x) => Number.isFinite(x) && (!isLog || x > 0));
  const [least, most] = found.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
  const at = isLog ? Math.log : (x) => x;
  const range = isLog ? [at(least), at(most)] : [0, 1];
  const t = (x) => (range[1] > range[0] ? (at(x) - range[0]) / (range[1] - range[0]) : 1);
  const ends = isLog ? [percent(least), percent(most)] : ["0 %", "100 %"];
  return { color: (row) => (Number.isFinite(values[row]) && (!isLog || values[row] > 0) ? rampColor(t(values[row])) : REST), ends, isLog };
}

/** Where the points lie, in a square of side 1 with y down, and which of them is near a place. */
class MapPoints {
  constructor(run) {
    const [x, y] = [numbers(run.raw.map.x), numbers(run.raw.map.y)];
    const finite = (values) => Array.from(values).filter(Number.isFinite);
    const span = (values) => finite(values).reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const [[left, right], [bottom, top]] = [span(x), span(y)];
    const side = Math.max(right - left, top - bottom) || 1;
    this.x = Float32Array.from(x, (v) => 0.5 + (v - (left + right) / 2) / side);
    this.y = Float32Array.from(y, (v) => 0.5 - (v - (bottom + top) / 2) / side);
  }

  nearest(x, y, within, rows) {
    let best = -1, least = within * within;
    for (const row of rows) {
      const d = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
      if (d <= least) [best, least] = [row, d];
    }
    return best;
  }

  /** Rows within a polygon of [x, y], by the parity of crossings. */
  within(polygon, rows) {
    return rows.filter((row) => {
      let inside = false;
      for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
        const [[ax, ay], [bx, by]] = [polygon[i], polygon[j]];
        const [x, y] = [this.x[row], this.y[row]];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
      }
      return inside;
    });
  }
}

const mapImages = new Map();

/** The image of an atlas for the canvas; null until it is there. */
function mapImage(url, onLoad) {
  if (!mapImages.has(url)) {
    const image = new Image();
    image.onload = onLoad;
    image.src = url;
    mapImages.set(url, image);
  }
  const image = mapImages.get(url);
  return image.complete && image.naturalWidth ? image : null;
}

const THUMBNAILS = 90; // so few points in sight are drawn as pictures

function drawMap(context, scene) {
  const { run, points, view, size, ratio, listed: bright, colors, chosen, hovered, pinned, path, theme, redraw } = scene;
  const { x, y } = points;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  const at = (row) => [view.x + x[row] * view.scale, view.y + y[row] * view.scale];
  const inSight = (row, margin) => {
    const [px, py] = at(row);
    return px > -margin && py > -margin && px < size.width + margin && py < size.height + margin;
  };
  const grown = Math.min(2.2, Math.max(1, Math.sqrt(view.scale / view.fit)));
  const zoom = Math.max(0.6, Math.min(1, 26 / Math.sqrt(run.n))) * grown;
  const shapes = run.kinds.map((kind) => new Path2D(markerPath(kind)));
  const kind = run.column("kind");
  const marker = (row, factor, px = at(row)) => {
    context.setTransform(ratio * factor, 0, 0, ratio * factor, ratio * px[0], ratio * px[1]);
    context.fill(shapes[kind[row]] || shapes[0]);
  };
  const isBright = new Uint8Array(run.n);
  for (const row of bright) isBright[row] = 1;
  context.globalAlpha = 0.25;
  context.fillStyle = theme.faint;
  if (bright.length < run.n) for (let row = 0; row < run.n; row++) if (!isBright[row] && inSight(row, 8)) marker(row, zoom * 0.75);
  context.globalAlpha = 0.9;
  const seen = bright.filter((row) => inSight(row, 24));
  const asPictures = run.hasPictures && seen.length <= THUMBNAILS && (view.scale > view.fit * 1.5 || run.n <= THUMBNAILS);
  for (let i = seen.length - 1; i >= 0; i--) {
    const row = seen[i];
    context.fillStyle = colors.color(row);
    if (!asPictures || !drawThumbnail(context, run, row, at(row), ratio, colors.color(row), redraw)) marker(row, zoom);
  }
  context.globalAlpha = 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const ring = (row, radius, color, width) => {
    const [px, py] = at(row);
    context.beginPath();
    context.arc(px, py, radius, 0, 7);
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
  };
  const radius = asPictures ? 22 : 5.5 * zoom;
  for (const number of chosen) if (run.rows.has(number)) ring(run.rows.get(number), radius + 1, theme.ink, 1.5);
  if (pinned >= 0) ring(pinned, radius + 4, theme.accent, 2.5);
  if (hovered >= 0) ring(hovered, radius + 3, theme.ink, 1.5);
  if (path && path.length > 1) {
    context.beginPath();
    path.forEach(([px, py], i) => context[i ? "lineTo" : "moveTo"](px, py));
    context.closePath();
    context.fillStyle = theme.wash;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = theme.accent;
    context.stroke();
  }
  return seen.length;
}

function drawThumbnail(context, run, row, [px, py], ratio, color, redraw) {
  const picture = run.picture(row);
  if (picture === null) return false;
  const { tile, round } = run.raw.pictures;
  const place = tilePlace(run.raw.pictures, picture);
  const image = place.url && mapImage(place.url, redraw);
  if (!image) return false;
  const half = 20;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.save();
  context.beginPath();
  if (round) context.arc(px, py, half, 0, 7);
  else context.rect(px - half, py - half, 2 * half, 2 * half);
  context.globalAlpha = 1;
  context.lineWidth = 4;
  context.strokeStyle = color;
  context.stroke();
  context.clip();
  context.drawImage(image, place.column * tile, place.row * tile, tile, tile, px - half, py - half, 2 * half, 2 * half);
  context.restore();
  return true;
}
