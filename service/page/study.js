// The tab Study: audit and train from a person's own files, in a process of the service.

import { KINDS, LostError, UNITS, ask, at, droppable, make, mediaOf, named, options, pause } from "./core.js";

const MOST_TABLES = 6;
const SEEMS = { kind: "measured", unit: "unit", label: "state in column", subject: "person in column", batch: "batch in column" };
const JSON_BODY = { "Content-Type": "application/json" };
const files = { tables: [], samples: null }; // as they were chosen
let id = null;
let watching = 0;

const say = (text) => { at("s-status").textContent = text; };

function fail(message) {
  say("");
  at("s-error").textContent = message;
  at("s-error").hidden = false;
}

export async function opened() {
  try {
    const allowed = (await ask("v1/studies")).json().allowed;
    at("closed").hidden = allowed;
    at("studyform").hidden = !allowed;
  } catch (error) {
    fail(error.message);
  }
}

async function chosen({ tables = files.tables, samples = files.samples }) {
  at("s-error").hidden = at("s-again").hidden = true;
  try {
    for (const file of [...tables, samples]) file && mediaOf(file.name);
    if (tables.length > MOST_TABLES) throw new Error(`Give at most ${MOST_TABLES} tables, one for each layer; ${tables.length} came.`);
    Object.assign(files, { tables, samples });
    const told = tables.map((file) => file.name).join(" and ");
    if (tables.length && samples) return await look();
    say(tables.length ? `${told}: now choose the sample sheet.` : `${samples.name} is the sample sheet: now choose the table.`);
  } catch (error) {
    fail(error.message);
    at("s-again").hidden = !(files.tables.length && files.samples);
  }
}

async function look() {
  id = (await ask("v1/studies", { method: "POST" })).json().id;
  const roles = files.tables.map((file, i) => [i ? `cargo-${i + 1}` : "cargo", file]);
  for (const [role, file] of [...roles, ["samples", files.samples]]) {
    const told = ({ share, words }) => say(words ?? `Sending ${file.name}: ${Math.round(100 * share)} %`);
    await ask(`v1/studies/${id}/files/${role}`, { method: "POST", body: file, headers: named(mediaOf(file.name), file.name), told });
  }
  say("Looking at the files…");
  const found = (await ask(`v1/studies/${id}/look`, { method: "POST" })).json();
  if (found.error) throw new Error(found.error);
  say("");
  const columns = found.columns.map((column) => [`${column.name} (${column.levels.slice(0, 4).join(", ")})`, column.name]);
  at("s-tables").replaceChildren(...found.tables.map((table, i) => tableFields(table, i, found.tables.length > 1)));
  options(at("s-label"), columns, found.seems.label);
  options(at("s-subject"), [["not known", ""], ...columns], found.seems.subject);
  options(at("s-batch"), [["not known", ""], ...columns], found.seems.batch);
  at("s-covariates").replaceChildren(at("s-covariates").firstElementChild,
    ...found.columns.filter((column) => ![found.seems.label, found.seems.subject, found.seems.batch].includes(column.name)).map((column) => ticked(column.name)));
  const why = Object.entries(SEEMS).filter(([key]) => found.seems[key] && found.reasons[key]);
  at("seems").textContent = `${found.samples} samples. Please check what was guessed: ` +
    why.map(([key, words]) => `${words} ${found.seems[key]} (${found.reasons[key]})`).join("; ") + ".";
  at("choices").hidden = false;
  at("s-kind-0").focus();
}

// What a table holds, for a person to check; a layer has a name too.
function tableFields(table, i, layered) {
  const row = make("p", "row fields");
  const field = (label, element) => {
    const span = make("span");
    element.id = `s-${label}-${i}`;
    const words = { kind: "Measured", unit: "Unit", layer: "Name of the layer" }[label];
    span.append(Object.assign(make("label", "", layered ? `${words} in ${table.called}` : words), { htmlFor: element.id }), " ", element);
    row.append(span);
  };
  if (layered) field("layer", Object.assign(make("input"), { value: table.name, spellcheck: false }));
  for (const [label, values] of [["kind", KINDS], ["unit", UNITS]]) {
    const select = make("select");
    options(select, values, table[label]);
    field(label, select);
  }
  return row;
}

function ticked(name) {
  const label = make("label");
  label.append(Object.assign(make("input"), { type: "checkbox", name: "covariate", value: name }), ` ${name}`);
  return label;
}

async function start(what) {
  at("s-error").hidden = true;
  at("outcome").hidden = true;
  const order = { do: what };
  for (const key of ["label", "subject", "batch", "name"]) order[key] = at(`s-${key}`).value;
  const layers = files.tables.map((_, i) => ({ name: at(`s-layer-${i}`)?.value, kind: at(`s-kind-${i}`).value, unit: at(`s-unit-${i}`).value }));
  if (layers.length > 1) order.layers = layers;
  Object.assign(order, { kind: layers[0].kind, unit: layers[0].unit });
  order.covariates = [...document.querySelectorAll("[name=covariate]:checked")].map((box) => box.value);
  const told = ({ words }) => words && say(words);
  try {
    await ask(`v1/studies/${id}/start`, { method: "POST", body: JSON.stringify(order), headers: JSON_BODY, told });
    at("s-cancel").hidden = at("s-progress").hidden = false;
    await watch(what);
  } catch (error) {
    fail(error.message);
  }
}

async function watch(what) {
  const mine = ++watching;
  for (;;) {
    let study = null;
    try {
      study = (await ask(`v1/studies/${id}`)).json();
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
    }
    if (mine !== watching) return;
    if (!study) {
      say("The connection was lost. The study goes on if the service does; asking again…");
      await pause(2);
      continue;
    }
    const [done, total] = study.progress;
    if (total) Object.assign(at("s-progress"), { max: total, value: done });
    else at("s-progress").removeAttribute("value");
    const step = total && done < total ? `step ${done} of ${total}` : total ? "finishing a step" : "getting ready";
    say(`${what === "train" ? "Training and judging" : "Auditing"}: ${step}, ${Math.round(study.seconds)} s`);
    if (study.state !== "running") return finished(study);
    await pause(0.7);
  }
}

function finished(study) {
  at("s-cancel").hidden = at("s-progress").hidden = true;
  if (study.state === "cancelled") return say("Cancelled. Your files are still there: start again when you like.");
  if (study.state === "failed") return fail(study.error);
  say(`Done in ${Math.round(study.seconds)} s.`);
  at("verdict").textContent = study.verdict;
  at("verdict").className = `tone ${study.tone}`;
  const place = (result) => `v1/studies/${id}/results/${result}`;
  const names = { report: "Report in a tab of its own", "report-files": "Figures and tables (zip)", model: "Model (zip)",
    predictions: "Predictions out of fold (CSV)" };
  at("s-downloads").replaceChildren(...study.results.map((result) => {
    const link = Object.assign(make("a", "button", names[result]), { href: place(result) });
    if (result === "report") Object.assign(link, { target: "_blank", rel: "noopener" });
    return link;
  }));
  at("take").hidden = !study.results.includes("model");
  at("report").src = place("report");
  at("outcome").hidden = false;
  at("verdict").focus();
}

at("cargo").addEventListener("change", (event) => event.target.files.length && chosen({ tables: [...event.target.files] }));
at("samples").addEventListener("change", (event) => event.target.files.length && chosen({ samples: event.target.files[0] }));
at("s-again").addEventListener("click", () => chosen({}));
droppable(at("studydrop"), (dropped) => {
  const sorted = dropped.sort((a, b) => b.size - a.size);
  if (sorted.length > 1) return chosen({ tables: sorted.slice(0, -1), samples: sorted.at(-1) });
  return chosen(files.tables.length ? { samples: sorted[0] } : { tables: sorted });
});
at("studyform").addEventListener("submit", (event) => {
  event.preventDefault();
  start(event.submitter?.name === "audit" ? "audit" : "train");
});
at("s-cancel").addEventListener("click", () =>
  ask(`v1/studies/${id}/cancel`, { method: "POST" }).catch((error) => fail(error.message)));
at("take").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const body = JSON.stringify({ why: at("why").value });
    const taken = (await ask(`v1/studies/${id}/import`, { method: "POST", body, headers: JSON_BODY })).json();
    say(`${taken.name} ${taken.version} is in use: the tab Score answers with it.`);
    at("take").hidden = true;
    document.dispatchEvent(new Event("models"));
  } catch (error) {
    fail(error.message);
  }
});
