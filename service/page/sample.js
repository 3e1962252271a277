// One answer on the page: its bars, what speaks against it, what moved it, and its sheet to print.

import { at, make, percent } from "./core.js";

const UNTRUSTED = new Set(["novel", "low-coverage", "one-batch", "no-evidence"]);

export const untrusted = (found) => found.flags.some((flag) => UNTRUSTED.has(flag));

export function sample(found, explaining) {
  const item = make("li", "sample");
  const head = make("div", "head");
  head.append(make("h3", "", found.sample_id));
  head.append(make("span", `call${found.call === "uncertain" ? " uncertain" : ""}`, found.call));
  item.append(head);
  const pale = untrusted(found);
  if (found.call === "uncertain")
    item.append(make("p", "guess", `Best guess: ${found.best_guess}, ${percent(found.p_best_guess)}` +
      (pale ? " – not to be relied on" : "")));
  if (pale) item.classList.add("untrusted");
  const sorted = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]);
  for (const [state, p] of sorted) item.append(bar(state, p, found.prediction_set.includes(state), pale));
  if (found.reasons.length) {
    const flags = make("ul", "flags");
    for (const reason of found.reasons) flags.append(make("li", "", reason));
    item.append(flags);
  }
  item.append(make("p", "quality soft",
    `${Math.floor(100 * found.coverage + 1e-9)} % of the panel measured; novelty p ${found.novelty_p.toFixed(2)}` +
      (found.novelty_p > 0.05 ? ", like the training samples" : "")));
  const why = make("details", "why");
  item.append(why);
  if (found.explanation) explain(why, found);
  else if (explaining) why.append(make("summary", "", "What moved it: being worked out…"));
  else why.hidden = true;
  const print = make("button", "print", "Sheet to print");
  print.type = "button";
  print.setAttribute("aria-label", `Sheet to print of ${found.sample_id}`);
  print.addEventListener("click", () => sheet(item, found));
  item.append(print);
  return item;
}

function bar(name, p, inside, pale) {
  const row = make("div", inside ? "bar in" : "bar");
  row.setAttribute("role", "img");
  row.setAttribute("aria-label",
    `${name}: ${percent(p)}, ${inside ? "in the prediction set" : "excluded"}${pale ? ", cannot be trusted" : ""}`);
  const track = make("span", "track"), fill = make("div", "fill");
  fill.style.width = `${100 * p}%`;
  track.append(fill);
  row.append(make("span", "name", name), track, make("span", "value", percent(p)));
  return row;
}

// Prints one sample alone, with what a record needs: who answered, when, for which file and place.
function sheet(item, found) {
  const copy = item.cloneNode(true);
  copy.querySelector(".print").remove();
  for (const details of copy.querySelectorAll("details")) details.open = true;
  const told = [at("model").textContent, `File: ${at("summary").dataset.name}. Answered as from: ${found.place}. Printed ${new Date().toLocaleString()}.`];
  const box = make("div", "sample");
  box.append(...copy.childNodes);
  at("sheet").replaceChildren(make("h2", "", `Sample ${found.sample_id}`), ...told.map((text) => make("p", "soft", text)), box,
    make("p", "soft", "Support for a decision by a person. Not a diagnosis, and not a medical device."));
  at("sheet").hidden = false;
  document.body.classList.add("one");
  addEventListener("afterprint", () => {
    document.body.classList.remove("one");
    at("sheet").hidden = true;
  }, { once: true });
  print();
}

export function explain(place, found) {
  if (!found?.explanation) {
    place.hidden = true;
    return;
  }
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
