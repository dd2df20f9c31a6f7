// The frame around the pages.

const STORED_THEME = "groupcross-theme";

function storedTheme(value) {
  try {
    if (value === undefined) return localStorage.getItem(STORED_THEME);
    localStorage.setItem(STORED_THEME, value);
  } catch {
    // frames without storage forget it
  }
  return null;
}

function ThemeButton() {
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const [theme, setTheme] = useState(storedTheme());
  useLayoutEffect(() => {
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    router.tell();
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", router.tell);
    return () => media.removeEventListener("change", router.tell);
  }, [theme]);
  const now = theme || system();
  const next = now === "dark" ? "light" : "dark";
  return html`<${Button} class="theme" aria-label=${`Switch to the ${next} colours`} onClick=${() => {
    storedTheme(next);
    setTheme(next);
  }}>${now === "dark" ? "Light" : "Dark"}<//>`;
}

function Navigation({ route, run }) {
  const entries = [
    ["overview", "Overview"], run.raw.map && ["map", "Map"], ["features", "Features"],
    run.families.length > 0 && ["families", "Families"], RUNS.length > 1 && DATA.comparison && ["compare", "Comparison"], ["run", "The run"],
  ].filter(Boolean);
  const within = { feature: "features", family: "families" }[route.page] || route.page;
  return html`<nav class="main-nav" aria-label="Pages"><ul>
    ${entries.map(([page, name]) => html`<li key=${page}><a href=${router.link(page)} aria-current=${within === page ? "page" : undefined}>${name}</a></li>`)}
  </ul></nav>`;
}

function RunSwitch({ run }) {
  if (RUNS.length < 2) return null;
  return html`<div class="field inline run-switch"><label for="run-switch">Shown</label> <select id="run-switch" value=${String(run.index)} onChange=${(event) => {
    const { page, number } = router.current;
    const other = RUNS[Number(event.target.value)];
    const partner = page === "feature" ? partnerOf(run, run.rows.get(number)) : null;
    const list = { feature: "features", family: "families" }[page] || page;
    // numbers of features and names of symmetries are each run's own
    router.go(partner === null ? list : `feature-${partner}`, { run: other.index ? String(other.index) : "", family: "", symmetry: "", at: "", more: "" });
    if (page === "feature" && partner === null) announce(`Feature ${number} has no partner in ${other.name}: its list is shown`);
  }}>${RUNS.map((other) => html`<option value=${String(other.index)} key=${other.index}>${other.name}</option>`)}</select></div>`;
}

function titleOf(route, run) {
  const names = {
    overview: "Overview", map: "Map", features: "Features", families: "Families", run: "The run", compare: "Comparison",
    feature: `Feature ${route.number}`, family: `Family ${route.number}`, missing: "Not found",
  };
  return `${names[route.page]} · ${RUNS.length > 1 && route.page !== "compare" ? `${run.name} · ` : ""}${DATA.title}`;
}

/** Whether where features fire is known of the other run alone. */
const hasFewerPictures = (run) => RUNS.some((other) => other.raw.shown && other.raw.shown.firing) && !(run.raw.shown && run.raw.shown.firing);

const Missing = () => html`<${Heading}>There is no such page<//><p><a href="#overview">To the overview</a></p>`;
const VIEW_OF_PAGE = {
  overview: Overview, map: MapPage, features: FeaturesPage, families: Families, feature: FeaturePage, family: FamilyPage,
  run: RunPage, compare: ComparePage, missing: Missing,
};

function App() {
  const route = useRoute();
  const run = currentRun();
  const page = (route.page === "map" && !run.raw.map) ? "missing" : route.page;
  const place = `${page}-${route.number}-${run.index}`;
  const shown = useRef(place);
  useLayoutEffect(() => {
    document.title = titleOf({ ...route, page }, run);
    if (shown.current === place) return;
    shown.current = place;
    const heading = document.getElementById("heading");
    if (heading) heading.focus({ preventScroll: true });
    scrollTo(0, router.restore || 0);
    router.restore = 0;
  });
  return html`<a class="skip" href="#main">To the content</a>
    <header class="top">
      <a class="home" href=${router.link("overview")}><${Name}>${DATA.title}<//></a>
      <${Navigation} route=${route} run=${run} />
      <div class="top-tools"><${RunSwitch} run=${run} /><${ThemeButton} /></div>
    </header>
    <main id="main" tabindex="-1" class=${`page-${page}`}>${hasFewerPictures(run) && !["compare", "missing"].includes(page) && html`<p class="note hint">The other dictionary is shown with fewer pictures.</p>`}<${VIEW_OF_PAGE[page]} key=${page} run=${run} number=${route.number} /></main>
    <div id="status" role="status" aria-live="polite"></div>`;
}

const root = document.getElementById("app");
/** Draw at once, as printing asks for. */
function redrawNow() {
  render(html`<${App} />`, root);
}
root.textContent = "";
redrawNow();
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", redrawNow);
performance.mark("explorer-ready");
document.documentElement.dataset.ready = "true";
