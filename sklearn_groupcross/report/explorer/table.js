// A table of thousands of rows of which only those in sight exist. The page itself scrolls.

const OVERSCAN = 2;
const PRINTED = 2000;
const PAPER = 900; // columns for wider screens are not printed

function useWidth() {
  const [width, setWidth] = useState(innerWidth);
  useLayoutEffect(() => {
    const measure = () => setWidth(innerWidth);
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  return width;
}

function useWindow(count, height) {
  const body = useRef(null);
  const [span, setSpan] = useState([0, Math.ceil(900 / height) + OVERSCAN]);
  const [printing, setPrinting] = useState(false);
  useLayoutEffect(() => {
    let frame = 0;
    const measure = () => {
      frame = 0;
      if (!body.current) return;
      const above = -body.current.getBoundingClientRect().top;
      const first = Math.max(0, Math.min(count, Math.floor(above / height)) - OVERSCAN);
      const last = Math.min(count, Math.max(0, Math.ceil((above + innerHeight) / height)) + OVERSCAN);
      setSpan((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    };
    const later = () => {
      frame = frame || requestAnimationFrame(measure);
    };
    const print = (state) => () => {
      setPrinting(state);
      redrawNow();
    };
    const [before, after] = [print(true), print(false)];
    measure();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    addEventListener("beforeprint", before);
    addEventListener("afterprint", after);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
      removeEventListener("beforeprint", before);
      removeEventListener("afterprint", after);
    };
  }, [count, height]);
  if (printing) return { body, first: 0, last: Math.min(count, PRINTED), printing };
  const last = Math.min(count, span[1]);
  return { body, first: Math.min(span[0], last), last, printing };
}

/**
 * Columns are {key, label, className, cell(item, width), sorts, falls, from}: one that `sorts` has a heading that
 * sorts by it, downwards first if it `falls`; narrower screens than `from` go without it.
 */
function VirtualTable({ items, columns, height, sort, onSort, caption, keyOf, isSelected }) {
  const { body, first, last, printing } = useWindow(items.length, height);
  const screen = useWidth();
  const width = printing ? Math.min(screen, PAPER) : screen;
  const shown = columns.filter((column) => !column.from || width >= column.from);
  return html`<table class="virtual" aria-rowcount=${items.length + 1} style=${{ "--row": `${height}px` }}>
    <caption class="offstage">${caption}</caption>
    <thead><tr aria-rowindex="1">
      ${shown.map((column) => {
        const active = sort && sort.column === column.key;
        return html`<th scope="col" key=${column.key} class=${column.className} ...${active ? { "aria-sort": sort.descending ? "descending" : "ascending" } : {}}>
          ${column.sorts
            ? html`<button type="button" onClick=${() => onSort(column.key, active ? !sort.descending : column.falls)}>${column.label}<span class="direction" aria-hidden="true">${active ? (sort.descending ? "↓" : "↑") : ""}</span></button>`
            : column.hidden
              ? html`<span class="offstage">${column.label}</span>`
              : column.label}
        </th>`;
      })}
    </tr></thead>
    <tbody ref=${body}>
      ${first > 0 && html`<tr class="spacer" aria-hidden="true" key="above" style=${{ height: `${first * height}px` }}><td></td></tr>`}
      ${items.slice(first, last).map((item, i) => html`<tr key=${keyOf(item)} aria-rowindex=${first + i + 2} class=${isSelected && isSelected(item) ? "selected" : ""}>
        ${shown.map((column) => html`<td class=${column.className} key=${column.key}>${column.cell(item, width)}</td>`)}
      </tr>`)}
      ${last < items.length && html`<tr class="spacer" aria-hidden="true" key="below" style=${{ height: `${(items.length - last) * height}px` }}><td></td></tr>`}
    </tbody>
  </table>
  ${items.length > PRINTED && html`<p class="print-only">The first ${integer(PRINTED)} of ${integer(items.length)}; the CSV holds all of them.</p>`}`;
}
