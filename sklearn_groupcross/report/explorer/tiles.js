// Pictures are tiles of a few large images, each decoded when the first of its tiles is shown.

const atlasUrls = new Map();

function atlasUrl(name, index) {
  const id = `atlas-${name}-${index}`;
  if (!atlasUrls.has(id)) {
    const element = document.getElementById(id);
    // pictures stand at the end of the page, which is drawn before it is read to the end
    if (!element && document.readyState === "loading") return null;
    const url = element && URL.createObjectURL(new Blob([bytesOf(element.textContent.trim())], { type: "image/webp" }));
    atlasUrls.set(id, url || null);
  }
  return atlasUrls.get(id);
}

/** Where a tile lies: the address of its atlas, column and row. */
function tilePlace(atlas, index) {
  const within = index % atlas.per_atlas;
  return {
    url: atlasUrl(atlas.atlas, Math.floor(index / atlas.per_atlas)),
    column: within % atlas.columns,
    row: Math.floor(within / atlas.columns),
  };
}

/** The style that shows a tile at a size, such as 64 px or 12 cqw. */
function tileStyle(atlas, index, size, unit = "px") {
  const { url, column, row } = tilePlace(atlas, index);
  const length = (x) => `${Number((x * size).toFixed(3))}${unit}`;
  const style = { width: length(1), height: length(1) };
  if (!url) return style;
  return {
    ...style,
    backgroundImage: `url(${url})`,
    backgroundSize: `${length(atlas.columns)} auto`,
    backgroundPosition: `${length(-column)} ${length(-row)}`,
  };
}

function Tile({ run, picture, size, unit, css, label, children }) {
  const { pictures } = run.raw;
  const style = picture === null || picture < 0 ? { width: size, height: size } : tileStyle(pictures, picture, size, unit);
  if (css) style.transform = css;
  const shape = `tile${pictures.round ? " round" : ""}${picture === null || picture < 0 ? " absent" : ""}`;
  const named = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<span class=${shape} style=${style} ...${named}>${children}</span>`;
}

/** What excites a feature most, if pictures are known at all. */
function FeatureTile({ run, row, size, label }) {
  if (!run.hasPictures) return null;
  return html`<${Tile} run=${run} picture=${run.picture(row)} size=${size} label=${label} />`;
}
