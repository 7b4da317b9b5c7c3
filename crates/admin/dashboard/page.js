"use strict";
// Shows what the API tells. Everything is set as text, so no name can become markup.

const LIMITS = ["ratelimit", "distributedratelimit"];
const REFRESH_MS = 5000;
const shown = { routers: [], middlewares: [], services: [] };

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

// A limit in words: 100 per 1m0s, burst 20, by header X-Api-Key, in redis:6379.
function settings(row) {
  const limit = row.rateLimit ?? Object.values(row.plugin ?? {})[0] ?? {};
  const amount = limit.average ?? limit.limit ?? 0;
  const redis = limit.redis ?? limit.store?.redis;
  return [
    amount > 0 ? `${amount} per ${limit.period ?? "1s"}` : "unlimited",
    `burst ${limit.burst ?? 1}`,
    `by ${source(limit.sourceCriterion ?? {})}`,
    redis ? `in ${names(redis.endpoints)}` : "in memory",
  ].join(", ");
}

function source({ requestHost, requestHeaderName, ipStrategy }) {
  if (requestHost) return "host";
  if (requestHeaderName) return `header ${requestHeaderName}`;
  if (ipStrategy?.depth) return `address at depth ${ipStrategy.depth}`;
  if (ipStrategy?.excludedIPs) return `address not in ${names(ipStrategy.excludedIPs)}`;
  return "address";
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

const COLUMNS = {
  routers: [["Name", "name"], ["Rule", "rule", true], ["Priority", priority],
    ["Entry points", (row) => names(row.entryPoints)], ["Middlewares", (row) => names(row.middlewares)], ["Service", "service"]],
  limits: [["Name", "name"], ["Type", "type"], ["Settings", settings], ["Used by", (row) => names(row.usedBy)]],
  middlewares: [["Name", "name"], ["Type", "type"], ["Used by", (row) => names(row.usedBy)]],
  services: [["Name", "name"], ["Type", "type"], ["Servers", servers, true], ["Used by", (row) => names(row.usedBy)]],
};

function line(columns, row) {
  const made = element("tr");
  const status = element("td", row.status, `status ${row.status}`);
  made.append(status);
  for (const [index, [, value, code]] of columns.entries()) {
    const text = (typeof value === "function" ? value(row) : row[value]) ?? "";
    const cell = element("td");
    cell.append(element(code ? "code" : "span", text));
    if (index === 0) for (const error of row.error ?? []) cell.append(element("span", error, "error"));
    made.append(cell);
  }
  return made;
}

function table(section, rows) {
  const columns = COLUMNS[section];
  const made = element("table");
  const head = element("tr");
  for (const title of ["Status", ...columns.map(([title]) => title)]) head.append(element("th", title));
  made.append(head, ...rows.map((row) => line(columns, row)));
  byId(section).querySelector("table, p")?.remove();
  byId(section).append(rows.length > 0 ? made : element("p", "none"));
}

function show() {
  const wanted = byId("search").value.toLowerCase();
  const troubled = byId("troubled").checked;
  const keep = (row) => JSON.stringify(row).toLowerCase().includes(wanted) && !(troubled && row.status === "enabled");
  const isLimit = (row) => LIMITS.includes(row.type);
  const ours = (row) => Number(isInternal(row));
  table("routers", shown.routers.filter(keep).sort((a, b) => ours(a) - ours(b)));
  table("limits", shown.middlewares.filter((row) => isLimit(row) && keep(row)));
  table("middlewares", shown.middlewares.filter((row) => !isLimit(row) && keep(row)));
  table("services", shown.services.filter(keep));
}

async function refresh() {
  try {
    for (const section of Object.keys(shown)) shown[section] = await list(`http/${section}`);
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
