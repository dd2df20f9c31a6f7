// Lists that leave the page: numbers for Python, a table for spreadsheets.

const pythonList = (numbersOfFeatures) => `[${Array.from(numbersOfFeatures).join(", ")}]`;

/** A cell by RFC 4180. Text that a spreadsheet would take for a formula is marked as text; numbers are not. */
function csvCell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  let text = String(value);
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

const rounded = (x) => Number(x.toPrecision(7)); // float32 has no more

function csvTable(run, rows) {
  const word = (name) => [name, (row) => run.word(name, row)];
  const number = (name) => [name, (row) => rounded(run.column(name)[row])];
  const { neighbors } = run.raw;
  const nearest = (row) => (neighbors ? rowOf(neighbors.row, row)[0] : -1);
  const columns = [
    ["feature", (row) => run.number[row]],
    ["kind", (row) => run.kind(row).name],
    word("symmetry"), number("confidence"), word("runner_up"), number("runner_up_score"), number("energy"), number("minimum"),
    ["family", (row) => run.column("family")[row]],
    ["pose", (row) => run.element(run.column("pose")[row])],
    number("frequency"), number("found_again"), number("period"), number("half_width"), number("axis"),
    word("atom_symmetry"), word("responses"), word("remark"), word("confidence_remark"),
    ["nearest", (row) => (nearest(row) >= 0 ? run.number[nearest(row)] : "")],
    // kept in steps of 1/127
    ["nearest_similarity", (row) => (nearest(row) >= 0 ? Number((rowOf(neighbors.similarity, row)[0] / 127).toFixed(3)) : "")],
  ];
  if (RUNS.length > 1 && DATA.comparison) {
    columns.push(
      ["partner", (row) => partnerOf(run, row) ?? ""],
      ["partner_similarity", (row) => (partnerOf(run, row) === null ? "" : rounded(PARTNERS[run.index].get(row).similarity))],
    );
  }
  const lines = [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, read]) => read(row)))];
  return lines.map((line) => `${line.map(csvCell).join(",")}\r\n`).join("");
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Put a text on the clipboard, in the way of older browsers and of frames where there is no other. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "offstage" });
    document.body.append(area);
    area.select();
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch {
      done = false;
    }
    area.remove();
    return done;
  }
}

/** Said aloud by screen readers, and shown for a moment. */
function announce(message) {
  const status = document.getElementById("status");
  status.textContent = message;
  status.classList.add("shown");
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => status.classList.remove("shown"), 2500);
}

async function copyAndSay(text, what) {
  const done = await copy(text);
  announce(done ? `${what} copied` : "This browser does not let the page copy");
  if (!done) prompt("Copy this:", text);
}
