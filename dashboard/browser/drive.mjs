// Drives the dashboard in headless Chromium: every page, in every state that the
// test serves, wide and light and as a phone in the dark. It fails on console
// errors, on sideways scrolling, on what axe-core finds serious, and when a live
// update does not arrive. What it saw it prints as JSON; screenshots are kept.
//
//   node drive.mjs PLAN.json
//
// The plan: {base, modules, chromium, out, states: {name: [paths]}, live: {path, state, expect}}.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(join(plan.modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const patience = 60_000; // nothing here is judged by how long it takes
const looks = [
  { name: "wide", viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  { name: "phone", viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true, isMobile: true, reducedMotion: "reduce" },
];

mkdirSync(plan.out, { recursive: true });
const faults = [];
const paints = [];
let pages = 0;

const browser = await chromium.launch({ executablePath: plan.chromium, args: ["--no-sandbox", "--disable-dev-shm-usage"], timeout: patience });
try {
  for (const [state, paths] of Object.entries(plan.states)) {
    await become(state);
    for (const look of looks) await tour(state, paths, look);
  }
  await seeLive(plan.live);
  await behindOthers(plan.live);
  await withoutScript(plan.live.path);
  await byKeyboard(plan.keyboard);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ pages, faults, paints, screenshots: plan.out }));

async function become(state) {
  const answer = await fetch(`${plan.base}/state/${state}`, { method: "POST" });
  if (!answer.ok) throw new Error(`the test does not know the state ${state}`);
}

async function open(look, listen, extra = {}) {
  const { name, ...options } = look;
  const context = await browser.newContext({ ...options, ...extra, bypassCSP: false });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") listen(`console: ${m.text()}`); });
  page.on("pageerror", (e) => listen(`script: ${e.message}`));
  return { context, page };
}

async function tour(state, paths, look) {
  let at = "";
  const fault = (text) => faults.push(`${state} ${at} ${look.name}: ${text}`);
  const { context, page } = await open(look, fault);
  for (at of paths) {
    await page.goto(plan.base + at, { waitUntil: "load" });
    if (at !== "/messages") await page.waitForSelector("body[data-live]"); // the first event has come
    if (at === "/times" && state !== "none") await page.waitForSelector(".plot canvas");
    paints.push({ state, at, look: look.name, ms: Math.round(await firstPaint(page)) });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > look.viewport.width) fault(`it is ${wide} pixels wide on a screen of ${look.viewport.width}`);
    if (await page.locator("#lost").isVisible()) fault("it says that the connection is lost");
    if (!/Vigil$/.test(await page.title())) fault(`its title is ${await page.title()}`);
    await page.screenshot({ path: join(plan.out, `${state}${at.replace(/\W+/g, "-")}-${look.name}.png`), fullPage: state !== "hundred" && at !== "/forecast" });
    if (state !== "hundred" || look.name === "wide") await judge(page, fault);
    pages++;
  }
  await context.close();
}

async function firstPaint(page) {
  const entry = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  return entry.jsonValue();
}

// judge runs axe in the page, as a debugger does: the page's own policy would refuse the script.
async function judge(page, fault) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const v of found.violations) {
    if (v.impact !== "serious" && v.impact !== "critical") continue;
    fault(`axe: ${v.impact} ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")}`);
  }
}

// seeLive changes the state under an open page, which has to follow without being loaded again.
async function seeLive({ path, from, to, before, after }) {
  await become(from);
  const fault = (text) => faults.push(`live ${path}: ${text}`);
  const { context, page } = await open(looks[0], fault);
  await page.goto(plan.base + path);
  await page.waitForSelector("body[data-live]");
  await page.evaluate(() => { window.here = true; });
  const titleBefore = await page.title();
  if (!(await page.textContent("body")).includes(before)) fault(`it does not say ${before}`);
  await become(to);
  await page.waitForFunction((text) => document.body.textContent.includes(text), after);
  if (!(await page.evaluate(() => window.here))) fault("it was loaded again");
  if ((await page.title()) === titleBefore) fault(`its title stays ${titleBefore}`);
  await context.close();
}

// behindOthers acts as a tab that nobody sees: its title follows, and its content when it is seen again.
async function behindOthers({ path, from, to, before, after }) {
  await become(from);
  const fault = (text) => faults.push(`hidden ${path}: ${text}`);
  const { context, page } = await open(looks[0], fault);
  await page.goto(plan.base + path);
  await page.waitForSelector("body[data-live]");
  await see(page, false);
  await become(to);
  const title = await page.title();
  await see(page, false);
  await page.waitForFunction((old) => document.title !== old, title);
  if (!(await page.textContent("body")).includes(before)) fault("its stream went on");
  await see(page, true);
  await page.waitForFunction((text) => document.body.textContent.includes(text), after);
  await context.close();
}

function see(page, seen) {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, !seen);
}

// withoutScript looks at a page whose scripts do not run.
async function withoutScript(path) {
  const fault = (text) => faults.push(`without script ${path}: ${text}`);
  const { context, page } = await open(looks[0], fault, { javaScriptEnabled: false });
  await page.goto(plan.base + path);
  if ((await page.locator("main > *").count()) < 2) fault("it is empty");
  await context.close();
}

// byKeyboard follows links with the keyboard alone, and expects the focus to be kept while parts change.
async function byKeyboard({ path, state, other }) {
  await become(state);
  const fault = (text) => faults.push(`keyboard ${path}: ${text}`);
  const { context, page } = await open(looks[0], fault);
  await page.goto(plan.base + path);
  await page.waitForSelector("body[data-live]");
  await page.keyboard.press("Tab");
  if ((await focused(page)) !== "Skip to the content") fault(`the first stop is ${await focused(page)}`);
  await page.locator("nav a", { hasText: "Alarms" }).focus();
  const head = await page.evaluateHandle(() => document.getElementById("head"));
  await become(other);
  await page.waitForFunction((old) => document.getElementById("head") !== old, head);
  if (!(await focused(page)).startsWith("Alarms")) fault(`the focus went to ${await focused(page)} when the part changed`);
  await page.keyboard.press("Enter");
  await page.waitForURL(/alarms$/);
  await context.close();
}

function focused(page) { return page.evaluate(() => document.activeElement.textContent.trim()); }
