// The tab Score, and the tabs themselves: it sends a table to /v1/predict-file and shows what comes back.

import { KINDS, UNITS, ask, at, download, droppable, lines, make, mediaOf, named, options } from "./core.js";
import * as evidence from "./evidence.js";
import { explain, sample, untrusted } from "./sample.js";
import * as study from "./study.js";

const PAGE = 50; // answers shown at first, and each time "Show more" is pressed
const EXPLAINED = 150; // samples up to which explanations are asked for: each takes the service some 20 ms
const MOVERS = 8;
const LAYERS = "layers"; // kind and unit of a model that reads several layers
const KEPT = 2e6; // letters of answers that the session's history holds

let models = [];
let results = [];
let listed = []; // the results that are shown, in their order
let shown = 0;
let explaining = false;
let last = null; // what was asked last, to be asked again
let turn = 0; // answers of an earlier question are not shown over those of a later one

function say(text) { at("status").textContent = text; }

function fail(message) {
  say("");
  at("sent").hidden = true;
  at("error").textContent = message;
  at("error").hidden = false;
  at("again").hidden = !last;
}

// Models

async function findModels() {
  const found = (await ask("v1/models")).json().models;
  models = found.filter((model) => model.version);
  if (!models.length)
    throw new Error(found.length ? found[0].problem : "There is no model yet: the tab Study trains one from your own files.");
  at("which").replaceChildren(...models.map((model) => new Option(`${model.name} ${model.version}`, model.name)));
  at("several").hidden = models.length < 2;
  await showModel();
}

async function showModel() {
  const model = models.find((each) => each.name === at("which").value) ?? models[0];
  const about = (await ask(`v1/models/${encodeURIComponent(model.name)}`)).json();
  model.layers = model.kind === LAYERS ? [...new Set(about.panel.molecules.map((name) => name.split(":")[0]))] : [];
  const reads = model.layers.length ? `the layers ${model.layers.join(" and ")}` : `${model.kind}, ${model.unit}`;
  at("model").textContent = `${model.name} ${model.version} answers; it reads ${reads}, and distinguishes ${model.states.join(", ")}.`;
  const places = [new Option("in a batch that the model was not trained on", "")];
  if (about.recalibration) places[0] = new Option(`at ${about.recalibration.site}`, `site:${about.recalibration.site}`);
  places.push(new Option("in some batch that it was trained on", "same_batch:true"));
  for (const batch of Object.keys(about.training.batches ?? {})) places.push(new Option(`in batch ${batch}`, `batch:${batch}`));
  for (const site of models.filter((each) => each.name.startsWith(`${model.name}-`)))
    places.push(new Option(`at ${site.name.slice(model.name.length + 1)}`, `site:${site.name.slice(model.name.length + 1)}`));
  at("place").replaceChildren(...places);
  options(at("kind"), model.layers.length ? [LAYERS] : KINDS, model.kind);
  options(at("unit"), model.layers.length ? [LAYERS] : UNITS, model.unit);
  fits(model);
  at("notice").hidden = !about.training.simulated;
  at("notice").textContent = "This model was trained on simulated samples: not for use on patients.";
  at("card").replaceChildren(...markdown(about.card));
  at("about").hidden = false;
}

function chosenModel() { return models.find((each) => each.name === at("which").value) ?? models[0]; }

// Says before anything is sent that the model reads another kind or unit.
function fits(model) {
  const same = at("kind").value === model.kind && at("unit").value === model.unit;
  if (model.layers.length) {
    at("fits").textContent = `Give one table with all layers you have, its columns named LAYER:MOLECULE, such as ${model.layers[0]}:… (the ` +
      `example data has this form). With a file for each layer: exoclassify score --layer ${model.layers[0]}=TABLE.`;
    return;
  }
  at("fits").textContent = same
    ? `${model.name} reads ${model.kind} as ${model.unit}: the values as they were measured, not transformed.`
    : `${model.name} reads ${model.kind} as ${model.unit}, and cannot answer for ${at("kind").value} as ${at("unit").value}: give the values in its unit.`;
  at("fits").classList.toggle("warn", !same);
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

function query(explained) {
  const asked = new URLSearchParams({ format: "ndjson", kind: at("kind").value, unit: at("unit").value });
  if (explained) asked.set("explain", explained);
  if (models.length > 1) asked.set("model", at("which").value);
  if (at("prevalence").value.trim()) asked.set("prevalence", at("prevalence").value.trim());
  const [what, name] = at("place").value.split(/:(.*)/s);
  if (what) asked.set(what, name);
  return `v1/predict-file?${asked}`;
}

async function answer(content, media, name) {
  const mine = ++turn;
  last = () => answer(content, media, name);
  at("error").hidden = at("answers").hidden = at("again").hidden = true;
  say(`Sending ${name}…`);
  const told = ({ share, words }) => {
    if (mine !== turn) return;
    at("sent").hidden = share === undefined || share === 1;
    if (share !== undefined) at("sent").value = share;
    say(words ?? (share === 1 ? `${name} was sent; reading it…` : `Sending ${name}: ${Math.round(100 * share)} %`));
  };
  try {
    const asked = { method: "POST", body: content, headers: named(media, name), told };
    const reply = await ask(query(0), asked);
    if (mine !== turn) return;
    results = lines(reply);
    explaining = results.length <= EXPLAINED;
    show(name, reply.header("exoclassify-report"));
    remember(name);
    if (!explaining) return;
    say("Answered. What moved each answer is being worked out…");
    const explained = lines(await ask(query(MOVERS), { ...asked, told: () => {} }));
    if (mine !== turn) return;
    explaining = false;
    const by = new Map(explained.map((each) => [each.sample_id, each]));
    results = results.map((each) => by.get(each.sample_id) ?? each);
    listed = listed.map((each) => by.get(each.sample_id) ?? each);
    for (const [i, place] of [...document.querySelectorAll("#results .why")].entries()) explain(place, listed[i]);
    say("Explanations are there.");
  } catch (error) {
    if (mine === turn) fail(error.status === 413 ? `${name}: ${error.message}. exoclassify score reads a file of any size.` : error.message);
  }
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

function show(name, report) {
  const counts = new Map();
  for (const found of results) counts.set(found.call, (counts.get(found.call) ?? 0) + 1);
  const ordered = [...counts].sort((a, b) => b[1] - a[1]);
  at("summary").textContent = `${name}: ${results.length} sample${results.length === 1 ? "" : "s"}: ` +
    `${ordered.map(([call, n]) => `${n} ${call}`).join(", ")}.`;
  at("summary").dataset.name = name;
  const left = report ? JSON.parse(report) : { rejected: 0, first: [], notes: [] };
  const words = left.rejected
    ? [`${left.rejected} row${left.rejected === 1 ? "" : "s"} could not be used: ` +
      left.first.map((row) => `${row.sample_id ? `${row.sample_id}: ` : ""}${row.reason}`).join("; ") + "."] : [];
  at("rejected").textContent = [...words, ...left.notes].join(" ");
  at("rejected").hidden = !at("rejected").textContent;
  options(at("filter"), [["all", ""], ...ordered.map(([call, n]) => [`${call} (${n})`, call]), ["cannot be trusted", "!"]]);
  at("search").value = "";
  at("answers").hidden = false;
  list();
  say("Answered.");
  at("answered").focus();
}

const ORDERS = {
  file: () => 0,
  uncertain: (a, b) => (b.call === "uncertain") - (a.call === "uncertain"),
  sure: (a, b) => b.p_best_guess - a.p_best_guess,
  id: (a, b) => a.sample_id.localeCompare(b.sample_id, undefined, { numeric: true }),
};

function list() {
  const wanted = at("search").value.trim().toLowerCase(), call = at("filter").value;
  listed = results
    .filter((found) => found.sample_id.toLowerCase().includes(wanted))
    .filter((found) => !call || (call === "!" ? untrusted(found) : found.call === call))
    .sort(ORDERS[at("sort").value]);
  at("results").replaceChildren();
  shown = 0;
  more();
  if (!listed.length) at("results").append(make("li", "soft", "No sample is like that."));
}

function more() {
  for (const found of listed.slice(shown, shown + PAGE)) at("results").append(sample(found, explaining));
  shown = Math.min(shown + PAGE, listed.length);
  at("more").hidden = shown === listed.length;
  at("more").textContent = `Show more (${listed.length - shown} left)`;
}

// History of this browser session: it stays in this tab, and goes with it.

function past() { return JSON.parse(sessionStorage.getItem("past") ?? "[]"); }

function remember(name) {
  const entry = { name, when: new Date().toLocaleTimeString(), told: at("summary").textContent, model: at("model").textContent, results };
  let kept = [entry, ...past()];
  while (kept.length > 1 && JSON.stringify(kept).length > KEPT) kept = kept.slice(0, -1);
  if (JSON.stringify(kept).length > KEPT) kept = [{ ...entry, results: null }];
  try { sessionStorage.setItem("past", JSON.stringify(kept)); } catch { /* full, or not allowed: then there is no history */ }
  history();
}

function history() {
  const kept = past();
  at("history").hidden = kept.length < 1;
  at("past").replaceChildren(...kept.map((entry) => {
    const item = make("li", "", `${entry.when} – ${entry.told} `);
    if (entry.results) {
      const again = make("button", "", "Show again");
      again.type = "button";
      again.setAttribute("aria-label", `Show again ${entry.name} of ${entry.when}`);
      again.addEventListener("click", () => {
        turn++;
        results = entry.results;
        explaining = false;
        show(entry.name, null);
        say(`Shown again, as answered at ${entry.when}: ${entry.model}`);
      });
      item.append(again);
    }
    return item;
  }));
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

// Tabs

const TABS = { score: () => {}, study: study.opened, evidence: evidence.opened };

function open(name) {
  for (const each of Object.keys(TABS)) {
    at(each).hidden = each !== name;
    at(`tab-${each}`).setAttribute("aria-selected", each === name);
    at(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
  TABS[name]();
}

for (const [i, name] of Object.keys(TABS).entries()) {
  at(`tab-${name}`).addEventListener("click", () => open(name));
  at(`tab-${name}`).addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = Object.keys(TABS)[(i + step + 3) % 3];
    open(next);
    at(`tab-${next}`).focus();
  });
}

// What the person does

at("keyform").addEventListener("submit", (event) => {
  event.preventDefault();
  at("error").hidden = true;
  findModels().then(() => last && last()).catch((error) => fail(error.message));
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    answer(pasted(at("paste").value), "text/csv", "the pasted sample");
  } catch (error) {
    fail(error.message);
  }
});

function take(files) {
  if (files.length > 1)
    return fail(`Drop one table at a time; ${files.length} came (${files.slice(0, 3).map((each) => each.name).join(", ")}). A table and ` +
      "its sample sheet go to the tab Study.");
  try {
    return answer(files[0], mediaOf(files[0].name), files[0].name);
  } catch (error) {
    return fail(error.message);
  }
}

at("file").addEventListener("change", (event) => {
  if (event.target.files.length) take([...event.target.files]);
  event.target.value = ""; // so that the same file, once corrected, can be chosen again
});
droppable(at("drop"), take);
at("example").addEventListener("click", async () => {
  try {
    const reply = await ask(`v1/models/${encodeURIComponent(chosenModel().name)}/example`);
    answer(reply.text, "text/csv", "example.csv");
  } catch (error) {
    fail(error.message);
  }
});
at("which").addEventListener("change", () => showModel().catch((error) => fail(error.message)));
for (const id of ["kind", "unit"]) at(id).addEventListener("change", () => models.length && fits(chosenModel()));
for (const id of ["prevalence", "place"]) at(id).addEventListener("change", () => last && last());
for (const [id, event] of [["search", "input"], ["filter", "change"], ["sort", "change"]]) at(id).addEventListener(event, list);
at("again").addEventListener("click", () => last && last());
at("more").addEventListener("click", more);
at("csv").addEventListener("click", () => download(csv(), "answers.csv", "text/csv"));
at("json").addEventListener("click", () =>
  download(results.map((found) => JSON.stringify(found) + "\n").join(""), "answers.jsonl", "application/x-ndjson"));
document.addEventListener("models", () => {
  at("error").hidden = true;
  findModels().catch((error) => fail(error.message));
});

history();
findModels().catch((error) => fail(error.message));
