// The tab Study: audit and train from a person's own files, in a process of the service.

import { KINDS, UNITS, ask, at, droppable, make, mediaOf, named, options } from "./core.js";

const JSON_BODY = { "Content-Type": "application/json" };
const files = {}; // by role, as they were chosen
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

async function chosen(role, file) {
  at("s-error").hidden = true;
  try {
    mediaOf(file.name);
    files[role] = file;
    say(role === "cargo" ? `${file.name} is the table; now the sample sheet.` : `${file.name} is the sample sheet.`);
    if (files.cargo && files.samples) await look();
  } catch (error) {
    fail(error.message);
  }
}

async function look() {
  id = (await ask("v1/studies", { method: "POST" })).json().id;
  for (const [role, file] of Object.entries(files)) {
    const told = ({ share, words }) => say(words ?? `Sending ${file.name}: ${Math.round(100 * share)} %`);
    await ask(`v1/studies/${id}/files/${role}`, { method: "POST", body: file, headers: named(mediaOf(file.name), file.name), told });
  }
  say("Looking at the files…");
  const found = (await ask(`v1/studies/${id}/look`, { method: "POST" })).json();
  if (found.error) throw new Error(found.error);
  say("");
  const columns = found.columns.map((column) => [`${column.name} (${column.levels.slice(0, 4).join(", ")})`, column.name]);
  options(at("s-kind"), KINDS, found.seems.kind);
  options(at("s-unit"), UNITS, found.seems.unit);
  options(at("s-label"), columns, found.seems.label);
  options(at("s-subject"), [["not known", ""], ...columns], found.seems.subject);
  options(at("s-batch"), [["not known", ""], ...columns], found.seems.batch);
  const why = Object.entries(found.seems).filter(([key, value]) => value && found.reasons[key]);
  at("seems").textContent = `${found.samples} samples. Please check what was taken from the files: ` +
    why.map(([key, value]) => `${key} ${value} (${found.reasons[key]})`).join("; ") + ".";
  at("choices").hidden = false;
  at("s-kind").focus();
}

async function start(what) {
  at("s-error").hidden = true;
  at("outcome").hidden = true;
  const order = { do: what };
  for (const key of ["kind", "unit", "label", "subject", "batch", "name"]) order[key] = at(`s-${key}`).value;
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
    const study = (await ask(`v1/studies/${id}`)).json();
    if (mine !== watching) return;
    const [done, total] = study.progress;
    if (total) Object.assign(at("s-progress"), { max: total, value: done });
    else at("s-progress").removeAttribute("value");
    const step = total && done < total ? `step ${done} of ${total}` : total ? "finishing a step" : "getting ready";
    say(`${what === "train" ? "Training and judging" : "Auditing"}: ${step}, ${Math.round(study.seconds)} s`);
    if (study.state !== "running") return finished(study);
    await new Promise((on) => setTimeout(on, 700));
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

at("cargo").addEventListener("change", (event) => event.target.files.length && chosen("cargo", event.target.files[0]));
at("samples").addEventListener("change", (event) => event.target.files.length && chosen("samples", event.target.files[0]));
droppable(at("studydrop"), async (dropped) => {
  if (dropped.length > 2) return fail(`Drop the table and its sample sheet: ${dropped.length} files came.`);
  const sorted = dropped.sort((a, b) => b.size - a.size);
  if (sorted.length === 2) {
    await chosen("cargo", sorted[0]);
    return chosen("samples", sorted[1]);
  }
  return chosen(files.cargo ? "samples" : "cargo", sorted[0]);
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
