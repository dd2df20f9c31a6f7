// Where the reader is: "#feature-602?kind=line&sort=-frequency". What the lists show is in the query, so that
// a link, a reload and the back button bring all of it back.

const { h, render, Fragment } = preact;
const { useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback } = preactHooks;
const html = htm.bind(h);

const SELECTIONS = ["sel", "sel1"]; // of the first run and of the second
const PAGES = ["overview", "map", "features", "families", "feature", "family", "run", "compare"];

function parseHash(hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [, name, number] = /^([a-z]*)(?:-(-?\d+))?$/.exec(path) || [null, path];
  const query = Object.fromEntries(new URLSearchParams(search));
  if (!path) return { page: "overview", number: null, query };
  if (!PAGES.includes(name) || (name === "feature" || name === "family") !== (number !== undefined)) {
    return { page: "missing", number: null, query, path };
  }
  return { page: name, number: number === undefined ? null : Number(number), query };
}

function writeHash({ page, number, query }) {
  const filled = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const search = new URLSearchParams(filled).toString().replace(/%2C/g, ",");
  const path = number === null || number === undefined ? page : `${page}-${number}`;
  return `#${path}${search ? `?${search}` : ""}`;
}

const router = {
  current: parseHash(location.hash),
  listeners: new Set(),
  scrolls: new Map(),
  pending: 0,
  restore: null,

  /** To another page: a step in the history. Changes of the query go along. */
  go(target, changes = {}) {
    router.flush();
    router.remember();
    const { page, number } = parseHash(`#${target}`);
    const query = { ...router.current.query, ...changes };
    router.set({ page, number, query }, "pushState");
    router.restore = 0;
  },

  /** Another view of the same page: written a little later, browsers allow only so many steps. */
  change(changes) {
    const query = { ...router.current.query, ...changes };
    for (const key of Object.keys(query)) if (!query[key]) delete query[key];
    router.current = { ...router.current, query };
    router.tell();
    clearTimeout(router.pending);
    router.pending = setTimeout(router.flush, 200);
  },

  flush() {
    if (!router.pending) return;
    clearTimeout(router.pending);
    router.pending = 0;
    router.write("replaceState");
  },

  set(route, how) {
    router.current = route;
    router.write(how);
    router.tell();
  },

  write(how) {
    try {
      // an anchor alone would be taken from where the frame around lies
      history[how](null, "", location.href.split("#")[0] + writeHash(router.current));
    } catch {
      // a frame without a history: the page works without links of its own
    }
  },

  remember() {
    router.scrolls.set(writeHash({ ...router.current, query: {} }), window.scrollY);
  },

  tell() {
    router.listeners.forEach((listener) => listener());
  },

  /** The address of a page in the present view. */
  link(target, changes = {}) {
    const query = { ...router.current.query, ...changes };
    for (const key of SELECTIONS) delete query[key];
    const { page, number } = parseHash(`#${target}`);
    return writeHash({ page, number, query });
  },
};

try {
  history.scrollRestoration = "manual";
} catch {
  // the browser's own way will do
}
addEventListener("popstate", () => {
  clearTimeout(router.pending);
  router.pending = 0;
  router.current = parseHash(location.hash);
  router.restore = router.scrolls.get(writeHash({ ...router.current, query: {} })) || 0;
  router.tell();
});
addEventListener("pagehide", () => router.flush());

document.addEventListener("click", (event) => {
  const anchor = event.target.closest && event.target.closest("a[href^='#']");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const href = anchor.getAttribute("href");
  if (href === "#main") {
    const main = document.getElementById("main");
    main.focus();
    main.scrollIntoView();
    return;
  }
  const { page, number, query } = parseHash(href);
  const kept = Object.fromEntries(SELECTIONS.map((key) => [key, router.current.query[key]]).filter(([, value]) => value));
  router.flush();
  router.remember();
  router.restore = 0;
  router.set({ page, number, query: { ...query, ...kept } }, "pushState");
});

function useRoute() {
  const [, redraw] = useState(0);
  useLayoutEffect(() => {
    const listener = () => redraw((n) => n + 1);
    router.listeners.add(listener);
    return () => router.listeners.delete(listener);
  }, []);
  return router.current;
}

const currentRun = () => RUNS[Number(router.current.query.run)] || RUNS[0];
