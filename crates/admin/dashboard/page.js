"use strict";
// Shows what the API tells. Everything is set as text, so no name can become markup.

const REFRESH_MS = 5000;
const PATHS = { routers: "http/routers", limits: "limits", middlewares: "http/middlewares", services: "http/services" };
const shown = { routers: [], limits: [], middlewares: [], services: [] };

const byId = (id) => document.getElementById(id);
const names = (list) => (list ?? []).join(", ");

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// All pages of a list.
async function list(path) {
  const rows = [];
  for (let page = 1; ; page += 1) {
    const response = await fetch(`../api/${path}?page=${page}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    rows.push(...(await response.json()));
    if (Number(response.headers.get("X-Next-Page")) <= page) return rows;
  }
}

function criterion({ criterion: { requestHost, requestHeaderName, ipStrategy } }) {
  if (requestHost) return "host";
  if (requestHeaderName) return `header ${requestHeaderName}`;
  if (ipStrategy?.depth) return `address at depth ${ipStrategy.depth}`;
  if (ipStrategy?.excludedIPs) return `address not in ${names(ipStrategy.excludedIPs)}`;
  return "address";
}

// Decisions of a limit; without a verdict or sources all of them.
function decisions(row, verdicts = ["allow", "delay", "deny"], without = []) {
  const counts = verdicts.flatMap((verdict) => Object.entries(row.decisions[verdict] ?? {}));
  return counts.filter(([source]) => !without.includes(source)).reduce((sum, [, count]) => sum + count, 0);
}

// The share of decisions that no store was asked for.
function decidedHere(row) {
  const all = decisions(row);
  if (all === 0) return "–";
  const share = (100 * decisions(row, undefined, ["store"])) / all;
  return `${share < 100 && share > 99.9 ? "> 99.9" : Number(share.toFixed(1))} %`;
}

// 1h0m0s is 1h to people.
function span(period) {
  return period.replace(/([hm])0[ms].*$/, "$1");
}

function rate(row) {
  const bucket = row.limit === undefined ? [] : [`${count(row.limit)} per ${span(row.period)}`];
  const quotas = row.quotas.map(({ limit, window, timeZone }) => `${count(limit)} per ${span(window)}${timeZone ? ` (${timeZone})` : ""}`);
  return [...bucket, ...quotas].join("\n");
}

function store({ store: { name, available, state, latency } }) {
  if (!available) return `${name}, ${state}`;
  return latency?.mean ? `${name}, ${(latency.mean * 1000).toFixed(1)}\u00a0ms\u00a0a\u00a0call` : name;
}

function count(number) {
  return number === undefined ? "" : number.toLocaleString();
}

// Our own routers come before all others; their number says nothing to anybody.
function priority(row) {
  return isInternal(row) ? "first" : row.priorityStr;
}

function isInternal(row) {
  return row.name.endsWith("@internal");
}

function servers(row) {
  return Object.entries(row.serverStatus ?? {}).map(([url, status]) => `${url} ${status}`).join(", ");
}

// Title, what stands there, and how.
const COLUMNS = {
  routers: [["Name", "name", "short"], ["Rule", "rule", "code"], ["Priority", priority],
    ["Entry points", (row) => names(row.entryPoints)], ["Middlewares", (row) => names(row.middlewares)], ["Service", "service"]],
  limits: [["Name", "name", "short"], ["Rate", rate, "short"], ["Burst", (row) => count(row.burst), "number"], ["By", criterion, "short"],
    ["Store", store], ["Instances", (row) => count(row.store.instances), "number"],
    ["Allowed", (row) => count(decisions(row, ["allow", "delay"])), "number"],
    ["Refused", (row) => count(decisions(row, ["deny"])), "number"],
    ["Decided here", decidedHere, "number"], ["Used by", (row) => names(row.usedBy)]],
  middlewares: [["Name", "name", "short"], ["Type", "type"], ["Used by", (row) => names(row.usedBy)]],
  services: [["Name", "name", "short"], ["Type", "type"], ["Servers", servers, "code"], ["Used by", (row) => names(row.usedBy)]],
};

// A row, and one below it for what is wrong.
function lines(columns, row) {
  const made = element("tr");
  made.append(element("td", row.status, `status ${row.status}`));
  for (const [, value, how] of columns) {
    const text = (typeof value === "function" ? value(row) : row[value]) ?? "";
    const cell = element("td", undefined, how);
    cell.append(element(how === "code" ? "code" : "span", text));
    made.append(cell);
  }
  if (!row.error?.length) return [made];
  const below = element("tr", undefined, `error ${row.status}`);
  const cell = element("td");
  cell.colSpan = columns.length;
  cell.append(...row.error.map((error) => element("p", error)));
  below.append(element("td"), cell);
  return [made, below];
}

function table(section, rows) {
  const columns = COLUMNS[section];
  const made = element("table");
  const head = element("tr");
  head.append(element("th", "Status"), ...columns.map(([title, , how]) => element("th", title, how)));
  made.append(head, ...rows.flatMap((row) => lines(columns, row)));
  byId(section).querySelector("table, p")?.remove();
  byId(section).append(rows.length > 0 ? made : element("p", "none"));
}

function show() {
  const wanted = byId("search").value.toLowerCase();
  const troubled = byId("troubled").checked;
  const keep = (row) => JSON.stringify(row).toLowerCase().includes(wanted) && !(troubled && row.status === "enabled");
  const limits = new Set(shown.limits.map((row) => row.middleware));
  const ours = (row) => Number(isInternal(row));
  table("routers", shown.routers.filter(keep).sort((a, b) => ours(a) - ours(b)));
  table("limits", shown.limits.filter(keep));
  table("middlewares", shown.middlewares.filter((row) => !limits.has(row.name) && keep(row)));
  table("services", shown.services.filter(keep));
}

async function refresh() {
  try {
    for (const [section, path] of Object.entries(PATHS)) shown[section] = await list(path);
    const version = await (await fetch("../api/version")).json();
    const overview = await (await fetch("../api/overview")).json();
    byId("version").textContent = version.Version;
    byId("features").textContent = `providers: ${names(overview.providers) || "none"}`;
    byId("failure").hidden = true;
    show();
  } catch (error) {
    byId("failure").textContent = `The API does not answer: ${error.message}`;
    byId("failure").hidden = false;
  }
  setTimeout(refresh, REFRESH_MS);
}

byId("search").addEventListener("input", show);
byId("troubled").addEventListener("change", show);
refresh();
