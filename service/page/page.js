// The page's only script: it sends a table to /v1/predict-file and shows what comes back. It asks nobody else.

const at = (id) => document.getElementById(id);
const PAGE = 50; // answers shown at first, and each time "Show more" is pressed
const EXPLAINED = 150; // samples up to which explanations are asked for: each takes the service some 20 ms
const MOVERS = 8;
const UNTRUSTED = new Set(["novel", "low-coverage", "one-batch", "no-evidence"]);
const MEDIA = {
  csv: "text/csv", txt: "text/plain", adat: "text/plain", rcc: "text/plain", tsv: "text/tab-separated-values",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.file", feather: "application/vnd.apache.arrow.file",
  ipc: "application/vnd.apache.arrow.file",
};

let models = [];
let results = [];
let shown = 0;
let last = null; // what was asked last, to be asked again once a key is given
let turn = 0; // answers of an earlier question are not shown over those of a later one

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function percent(p) {
  if (p < 0.01) return "<1 %";
  if (p > 0.99) return ">99 %";
  return `${Math.round(100 * p)} %`;
}

function say(text) { at("status").textContent = text; }

function fail(message) {
  say("");
  at("error").textContent = message;
  at("error").hidden = false;
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (at("key").value) headers.Authorization = `Bearer ${at("key").value}`;
  let reply;
  try {
    reply = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The service does not answer. Is it running?");
  }
  if (reply.ok) return reply;
  if (reply.status === 401) at("keyed").hidden = false;
  const body = await reply.json().catch(() => null);
  throw new Error(body ? body.error.message : `The service answered ${reply.status}.`);
}

// Models

async function findModels() {
  const found = (await (await ask("v1/models")).json()).models;
  models = found.filter((model) => model.version);
  if (!models.length) throw new Error(found.length ? found[0].problem : "The service has no model.");
  at("which").replaceChildren(...models.map((model) => new Option(`${model.name} ${model.version}`, model.name)));
  at("several").hidden = models.length < 2;
  await showModel();
}

async function showModel() {
  const model = models.find((each) => each.name === at("which").value) ?? models[0];
  at("model").textContent =
    `${model.name} ${model.version} answers; it reads ${model.kind}, ${model.unit}, and distinguishes ${model.states.join(", ")}.`;
  const about = await (await ask(`v1/models/${encodeURIComponent(model.name)}`)).json();
  const places = [new Option("in a batch that the model was not trained on", "")];
  if (about.recalibration) places[0] = new Option(`at ${about.recalibration.site}`, `site:${about.recalibration.site}`);
  places.push(new Option("in some batch that it was trained on", "same_batch:true"));
  for (const batch of Object.keys(about.training.batches ?? {})) places.push(new Option(`in batch ${batch}`, `batch:${batch}`));
  for (const site of models.filter((each) => each.name.startsWith(`${model.name}-`)))
    places.push(new Option(`at ${site.name.slice(model.name.length + 1)}`, `site:${site.name.slice(model.name.length + 1)}`));
  at("place").replaceChildren(...places);
  at("notice").hidden = !about.training.simulated;
  at("notice").textContent = "This model was trained on simulated samples: not for use on patients.";
  at("card").replaceChildren(...markdown(about.card));
  at("about").hidden = false;
}

function markdown(text) {
  return text.trim().split(/\n{2,}/).map((block) => {
    const lines = block.split("\n");
    const heading = /^(#{1,4}) (.*)$/.exec(block);
    if (heading) return inline(make(`h${heading[1].length + 2}`), heading[2]);
    if (lines[0].startsWith("|")) {
      const table = make("table");
      lines.filter((_, i) => i !== 1).forEach((line, i) => {
        const row = table.insertRow();
        for (const cell of line.replace(/^\||\|$/g, "").split("|")) row.append(inline(make(i ? "td" : "th"), cell.trim()));
      });
      return table;
    }
    if (lines[0].startsWith("- ")) {
      const list = make("ul");
      for (const item of lines.join("\n").slice(2).split("\n- ")) list.append(inline(make("li"), item));
      return list;
    }
    return inline(make("p"), block);
  });
}

function inline(element, text) {
  for (const part of text.split(/(\*\*.+?\*\*|`[^`]+`)/)) {
    if (part.startsWith("**")) element.append(make("strong", "", part.slice(2, -2)));
    else if (part.startsWith("`")) element.append(make("code", "", part.slice(1, -1)));
    else element.append(part);
  }
  return element;
}

// Asking

function query(explain) {
  const asked = new URLSearchParams({ format: "ndjson" });
  if (explain) asked.set("explain", explain);
  if (models.length > 1) asked.set("model", at("which").value);
  if (at("prevalence").value.trim()) asked.set("prevalence", at("prevalence").value.trim());
  const [what, name] = at("place").value.split(/:(.*)/s);
  if (what) asked.set(what, name);
  return `v1/predict-file?${asked}`;
}

async function answer(content, media, name) {
  const mine = ++turn;
  last = () => answer(content, media, name);
  at("error").hidden = true;
  at("answers").hidden = true;
  say(`Asking about ${name}…`);
  try {
    const options = { method: "POST", body: content, headers: {
      "Content-Type": media, "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
    } };
    const reply = await ask(query(0), options);
    const found = await lines(reply);
    if (mine !== turn) return;
    results = found;
    show(JSON.parse(reply.headers.get("exoclassify-report")));
    if (found.length > EXPLAINED) return;
    say("The explanations are being worked out…");
    const explained = await lines(await ask(query(MOVERS), options));
    if (mine !== turn) return;
    results = explained;
    for (const [i, place] of [...document.querySelectorAll(".why")].entries()) explain(place, results[i]);
    say("Explanations are there.");
  } catch (error) {
    if (mine === turn) fail(error.message);
  }
}

async function lines(reply) {
  return (await reply.text()).trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

function pasted(text) {
  const names = [], values = [];
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const parts = line.split(/[\t,;]|\s+/).filter(Boolean);
    if (parts.length !== 2) throw new Error(`“${line.slice(0, 60)}” is not a molecule and its value; give one of each a line.`);
    names.push(parts[0]);
    values.push(parts[1]);
  }
  if (!names.length) throw new Error("Paste at least one molecule and its value.");
  const quoted = (cells) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(",");
  return `sample_id,${quoted(names)}\npasted,${quoted(values)}\n`;
}

// Showing

function show(report) {
  const counts = new Map();
  for (const found of results) counts.set(found.call, (counts.get(found.call) ?? 0) + 1);
  at("summary").textContent =
    `${results.length} sample${results.length === 1 ? "" : "s"}: ` +
    [...counts].sort((a, b) => b[1] - a[1]).map(([call, n]) => `${n} ${call}`).join(", ") + "." + unanswered(report);
  at("results").replaceChildren();
  shown = 0;
  at("answers").hidden = false;
  more();
  say("Answered.");
  at("answered").focus();
}

function unanswered({ rejected, first }) {
  if (!rejected) return "";
  const named = first.map((row) => `${row.sample_id || `row ${row.row}`} ${row.column} ${row.reason}`.replace("  ", " "));
  const rest = rejected > first.length ? `; and ${rejected - first.length} more` : "";
  return ` ${rejected} row${rejected === 1 ? " has" : "s have"} no answer: ${named.join("; ")}${rest}.`;
}

function more() {
  for (const found of results.slice(shown, shown + PAGE)) at("results").append(sample(found));
  shown = Math.min(shown + PAGE, results.length);
  at("more").hidden = shown === results.length;
  at("more").textContent = `Show more (${results.length - shown} left)`;
}

function sample(found) {
  const item = make("li", "sample");
  const head = make("div", "head");
  head.append(make("h3", "", found.sample_id));
  head.append(make("span", `call${found.call === "uncertain" ? " uncertain" : ""}`, found.call));
  item.append(head);
  if (found.call === "uncertain")
    item.append(make("p", "guess", `Best guess: ${found.best_guess}, ${percent(found.p_best_guess)}`));
  if (found.flags.some((flag) => UNTRUSTED.has(flag))) item.classList.add("untrusted");
  const sorted = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]);
  for (const [state, p] of sorted) item.append(bar(state, p, found.prediction_set.includes(state)));
  if (found.flags.length) {
    const flags = make("ul", "flags");
    found.flags.forEach((flag, i) => flags.append(make("li", "", found.reasons[i])));
    item.append(flags);
  }
  item.append(make("p", "quality soft",
    `${Math.floor(100 * found.coverage + 1e-9)} % of the panel measured; novelty p ${found.novelty_p.toFixed(2)}` +
      (found.novelty_p > 0.05 ? ", like the training samples" : "")));
  const why = make("details", "why");
  why.hidden = true;
  item.append(why);
  if (found.explanation) explain(why, found);
  return item;
}

function bar(name, p, inside) {
  const row = make("div", inside ? "bar in" : "bar");
  row.setAttribute("role", "img");
  row.setAttribute("aria-label", `${name}: ${percent(p)}, ${inside ? "in the prediction set" : "excluded"}`);
  const track = make("span", "track"), fill = make("div", "fill");
  fill.style.width = `${100 * p}%`;
  track.append(fill);
  row.append(make("span", "name", name), track, make("span", "value", percent(p)));
  return row;
}

function explain(place, found) {
  if (!found?.explanation) return;
  const { state, movers } = found.explanation;
  place.replaceChildren(make("summary", "", `What moved it towards or away from ${state}`));
  const most = Math.max(...movers.map((mover) => Math.abs(mover.log_odds)), 1e-9);
  for (const mover of movers) {
    place.append(moverBar(mover, most, state));
    if (mover.evidence.length) place.append(claims(mover.evidence));
    if (mover.in_public_tables) place.append(make("p", "soft", `Public tables: ${mover.in_public_tables}`));
  }
  place.append(make("p", "soft",
    "In log-odds against the other states: what this model made of a molecule, not what the molecule does in the body."));
  place.hidden = false;
}

function moverBar(mover, most, state) {
  const towards = mover.log_odds > 0;
  const row = make("div", towards ? "bar mover" : "bar mover against");
  const value = `${towards ? "+" : "−"}${Math.abs(mover.log_odds).toFixed(2)}`;
  row.setAttribute("role", "img");
  row.setAttribute("aria-label", `${mover.molecule}: ${value}, ${towards ? "towards" : "away from"} ${state}`);
  const track = make("span", "track"), fill = make("div", "fill");
  const half = 50 * Math.abs(mover.log_odds) / most;
  fill.style.width = `${half}%`;
  fill.style.left = towards ? "50%" : `${50 - half}%`;
  track.append(fill);
  const measured = mover.measured === null ? "not measured" : String(mover.measured);
  row.append(make("span", "name", `${mover.molecule} (${measured})`), track, make("span", "value", value));
  return row;
}

function claims(evidence) {
  const list = make("ul", "claims soft");
  for (const claim of evidence) {
    const item = make("li", "", `${claim.direction} in ${claim.condition} (${claim.contrast}; ${claim.species}, ` +
      `${claim.biofluid}; ${claim.relation}): ${claim.study}, `);
    if (/^https?:\/\//.test(claim.url)) {
      const link = make("a", "", claim.reference);
      link.href = claim.url;
      link.rel = "noreferrer noopener";
      link.target = "_blank";
      item.append(link);
    } else {
      item.append(claim.reference);
    }
    list.append(item);
  }
  return list;
}

// Evidence

const CLAIM = ["molecule", "direction", "contrast", "species", "fluid", "n", "read at"];

async function conditions() {
  if (at("condition").options.length > 1) return;
  const found = (await (await ask("v1/evidence")).json()).conditions;
  at("condition").append(...found.map((each) => new Option(`${each.condition} (${each.claims})`, each.condition)));
}

function claimRow(claim) {
  const address = make("a", "", claim.study);
  if (/^https?:\/\//.test(claim.url)) Object.assign(address, { href: claim.url, rel: "noreferrer noopener", target: "_blank" });
  return [claim.molecule || claim.written, claim.direction, claim.contrast, claim.species, claim.biofluid, claim.n ?? "–", address];
}

function effectRow(effect) {
  const range = effect.low === undefined ? "" : ` (${effect.low.toFixed(2)} to ${effect.high.toFixed(2)})`;
  return [effect.molecule, effect.accession, effect.log2_fold_change.toFixed(2) + range, effect.q.toPrecision(2)];
}

function filled(head, rows, caption) {
  const box = make("div", "scrolls"), table = make("table");
  table.append(make("caption", "", caption));
  const top = table.insertRow();
  for (const name of head) top.append(make("th", "", name));
  for (const cells of rows) {
    const row = table.insertRow();
    for (const cell of cells) row.insertCell().append(cell instanceof Node ? cell : String(cell));
  }
  box.append(table);
  return box;
}

async function showEvidence(path, name) {
  at("found").replaceChildren(make("p", "soft", "Looking it up…"));
  try {
    const found = await (await ask(path)).json();
    const parts = (found.summary ?? [found.notice]).map((text) => make("p", "", text));
    const people = found.people ?? found.claims.filter((each) => each.species === "human");
    const others = found.animals_and_cells ?? found.claims.filter((each) => each.species !== "human");
    if (people.length) parts.push(filled(CLAIM, people.map(claimRow), `${name}: claims on people`));
    if (others.length) parts.push(filled(CLAIM, others.map(claimRow), `${name}: animals and cells`));
    if (!people.length && !others.length) parts.push(make("p", "", `Nothing is published on ${name} in the catalogue.`));
    const effects = found.effects ?? found.public_tables ?? [];
    if (found.in_public_tables) parts.push(make("p", "", `Public tables: ${found.in_public_tables}`));
    if (effects.length) {
      parts.push(filled(["molecule", "public table", "log2 fold change (95 %)", "q"], effects.map(effectRow),
        "The same in public tables; most are confounded, see the verdict of each"));
    }
    at("found").replaceChildren(...parts);
  } catch (error) {
    at("found").replaceChildren(make("p", "", error.message));
  }
}

// Downloading

function csv() {
  const states = Object.keys(results[0].probabilities);
  const cell = (value) => {
    const text = String(value);
    // A spreadsheet would run a cell that begins so.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const head = ["sample_id", "call", "best_guess", "p_best_guess", ...states.map((state) => `p_${state}`), "prediction_set",
    "novelty_p", "coverage", "flags", "reason", "place"];
  const rows = results.map((found) => [
    found.sample_id, found.call, found.best_guess, found.p_best_guess, ...states.map((state) => found.probabilities[state]), found.prediction_set.join(";"),
    found.novelty_p, found.coverage, found.flags.join(";"), found.reasons.join(" "), found.place,
  ]);
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

function download(text, name, type) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// What the person does

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter?.name === "answer") {
    try {
      answer(pasted(at("paste").value), "text/csv", "the pasted sample");
    } catch (error) {
      fail(error.message);
    }
  } else {
    at("error").hidden = true;
    findModels().then(() => last && last()).catch((error) => fail(error.message));
  }
});

function take(file) {
  const media = MEDIA[file.name.split(".").pop().toLowerCase()];
  if (media) answer(file, media, file.name);
  else fail(`${file.name}: give a .csv, .tsv, .txt, .xlsx, .parquet or .arrow file.`);
}

at("file").addEventListener("change", (event) => event.target.files.length && take(event.target.files[0]));
at("drop").addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
at("drop").addEventListener("dragleave", () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
at("which").addEventListener("change", () => showModel().catch((error) => fail(error.message)));
for (const id of ["prevalence", "place"]) at(id).addEventListener("change", () => last && last());
at("more").addEventListener("click", more);
at("catalogue").addEventListener("toggle", () => conditions().catch((error) => fail(error.message)));
at("condition").addEventListener("change", (event) => event.target.value &&
  showEvidence(`v1/evidence?condition=${encodeURIComponent(event.target.value)}`, event.target.value));
at("molecule").addEventListener("change", (event) => event.target.value.trim() &&
  showEvidence(`v1/evidence/${encodeURIComponent(event.target.value.trim())}`, event.target.value.trim()));
at("csv").addEventListener("click", () => download(csv(), "answers.csv", "text/csv"));
at("json").addEventListener("click", () =>
  download(results.map((found) => JSON.stringify(found) + "\n").join(""), "answers.jsonl", "application/x-ndjson"));

findModels().catch((error) => fail(error.message));
