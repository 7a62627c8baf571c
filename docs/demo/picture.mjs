// Takes a picture of a page: node picture.mjs MODULES CHROMIUM URL FILE
// MODULES is the folder that playwright-core is installed in.

import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, executablePath, url, file] = process.argv.slice(2);
const { chromium } = createRequire(join(modules, "x.js"))("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, colorScheme: "light" });
  await page.goto(url, { waitUntil: "load" }); // not networkidle: the page keeps a stream open
  await page.waitForSelector("svg");
  await page.screenshot({ path: file });
} finally {
  await browser.close();
}
