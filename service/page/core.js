// What every tab of the page uses: asking the service, making elements, and saying what went wrong. It asks nobody else.

export const at = (id) => document.getElementById(id);

export const MEDIA = {
  csv: "text/csv", txt: "text/plain", adat: "text/plain", rcc: "text/plain", tsv: "text/tab-separated-values",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.file", feather: "application/vnd.apache.arrow.file",
  ipc: "application/vnd.apache.arrow.file",
};
export const KINDS = ["mirna", "mrna", "lncrna", "protein", "other"];
export const UNITS = ["counts", "ct", "intensity", "log2_intensity", "cpm", "value"];
const RETRIES = 5; // times that a service which is busy is asked again

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function percent(p) {
  if (p < 0.01) return "<1 %";
  if (p > 0.99) return ">99 %";
  return `${Math.round(100 * p)} %`;
}

export function mediaOf(name) {
  const media = MEDIA[name.split(".").pop().toLowerCase()];
  if (!media) throw new Error(`${name}: give a .csv, .tsv, .txt, .xlsx, .parquet or .arrow file.`);
  return media;
}

export function named(media, name) {
  return { "Content-Type": media, "Content-Disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name)}` };
}

export class LostError extends Error {}

export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

// One request; a service that is busy is asked again by itself. `told` hears what happens meanwhile: a share sent, or a sentence.
export async function ask(path, { method = "GET", body, headers = {}, told = () => {} } = {}) {
  for (let tried = 0; ; tried++) {
    const reply = await sendOnce(path, method, body, headers, told);
    if (reply.status < 300) return reply;
    if (reply.status === 401) at("keyed").hidden = false;
    if ((reply.status === 429 || reply.status === 503) && tried < RETRIES && !/"no_model|"not_ready/.test(reply.text)) {
      const seconds = Math.min(Number(reply.header("retry-after")) || 2, 15);
      told({ words: `The service is busy; asking again in ${seconds} s…` });
      await pause(seconds);
      continue;
    }
    let said = null;
    try { said = JSON.parse(reply.text); } catch { /* no JSON: an error of something in between */ }
    const message = said?.error?.message ?? `The service answered ${reply.status}.`;
    throw Object.assign(new Error(message), { status: reply.status });
  }
}

function sendOnce(path, method, body, headers, told) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch does not say how much has been sent
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (at("key").value) request.setRequestHeader("Authorization", `Bearer ${at("key").value}`);
    request.upload.onprogress = (event) => event.lengthComputable && told({ share: event.loaded / event.total });
    request.onerror = () => fail(new LostError("The connection was lost, or the service does not run. Nothing is lost here: try again."));
    request.onload = () => done({
      status: request.status, text: request.responseText, header: (name) => request.getResponseHeader(name),
      json: () => JSON.parse(request.responseText),
    });
    request.send(body);
  });
}

export function lines(reply) {
  return reply.text.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

export function options(select, values, chosen = "") {
  select.replaceChildren(...values.map((value) => Array.isArray(value) ? new Option(...value) : new Option(value, value)));
  if (chosen) select.value = chosen;
}

// Calls `taken` with the files that are dropped on an element.
export function droppable(element, taken) {
  element.addEventListener("dragover", (event) => { event.preventDefault(); element.classList.add("over"); });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    if (event.dataTransfer.files.length) taken([...event.dataTransfer.files]);
  });
}

export function filled(head, rows, caption) {
  const box = make("div", "scrolls"), table = make("table"), top = table.createTHead().insertRow(), body = table.createTBody();
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", caption);
  table.prepend(make("caption", "", caption));
  for (const name of head) top.append(Object.assign(make("th", "", name), { scope: "col" }));
  for (const cells of rows) {
    const row = body.insertRow();
    for (const [i, cell] of cells.entries()) {
      const made = row.insertCell();
      made.dataset.label = head[i]; // a narrow screen shows it beside the cell
      made.append(cell instanceof Node ? cell : String(cell));
    }
  }
  box.append(table);
  return box;
}

export function linked(text, url) {
  const link = make("a", "", text);
  if (/^https?:\/\//.test(url)) Object.assign(link, { href: url, rel: "noreferrer noopener", target: "_blank" });
  return link;
}

export function download(text, name, type) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
