// The tab Evidence: the catalogue by condition and by molecule, and the map of both.

import { ask, at, filled, linked, make } from "./core.js";

const CLAIM = ["molecule", "direction", "contrast", "species", "fluid", "n", "read at"];

async function conditions() {
  if (at("condition").options.length > 1) return;
  const found = (await ask("v1/evidence")).json().conditions;
  at("condition").append(...found.map((each) => new Option(`${each.condition} (${each.claims})`, each.condition)));
}

function claimRow(claim) {
  return [claim.molecule || claim.written, claim.direction, claim.contrast, claim.species, claim.biofluid, claim.n ?? "–",
    linked(claim.study, claim.url)];
}

function effectRow(effect) {
  const range = effect.low === undefined ? "" : ` (${effect.low.toFixed(2)} to ${effect.high.toFixed(2)})`;
  return [effect.molecule, effect.accession, effect.log2_fold_change.toFixed(2) + range, effect.q.toPrecision(2)];
}

async function show(path, name) {
  at("found").replaceChildren(make("p", "soft", "Looking it up…"));
  try {
    const found = (await ask(path)).json();
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
    within();
  } catch (error) {
    at("found").replaceChildren(make("p", "", error.message));
  }
}

function within() {
  const wanted = at("within").value.trim().toLowerCase();
  for (const row of at("found").querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}

export function opened() {
  conditions().catch((error) => at("found").replaceChildren(make("p", "", error.message)));
}

at("condition").addEventListener("change", (event) => event.target.value &&
  show(`v1/evidence?condition=${encodeURIComponent(event.target.value)}`, event.target.value));
at("molecule").addEventListener("change", (event) => event.target.value.trim() &&
  show(`v1/evidence/${encodeURIComponent(event.target.value.trim())}`, event.target.value.trim()));
at("within").addEventListener("input", within);
at("mapped").addEventListener("toggle", () => { at("map").src ||= "evidence-map.svg"; });
