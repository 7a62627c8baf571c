// Draws what reading and proving took. The table below the plot has the same numbers.
"use strict";

const spot = document.querySelector("[data-times]");
let plot = null;
let drawn = "";

function ink(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function options(width) {
  const axis = { stroke: ink("--quiet"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 } };
  const line = (label, colour, dash) => ({ label, stroke: colour, width: 2, dash, points: { size: 6 }, value: (_, v) => v == null ? "–" : v.toFixed(2) + " s" });
  return {
    width, height: 320,
    series: [{ label: "deadline opened" }, line("reading", ink("--warn-line")), line("proving", ink("--accent"), [8, 4])],
    axes: [axis, { ...axis, label: "seconds", stroke: ink("--quiet"), size: 60 }],
    scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.1] } },
  };
}

async function draw() {
  const answer = await fetch(spot.dataset.times);
  if (!answer.ok) return;
  const text = await answer.text();
  if (text === drawn && plot) return;
  drawn = text;
  const times = JSON.parse(text);
  const data = [times.map((t) => Date.parse(t.opened) / 1000), times.map((t) => t.read_seconds), times.map((t) => t.prove_seconds)];
  if (plot) { plot.setData(data); return; }
  plot = new uPlot(options(spot.clientWidth), data, spot);
}

function again() { if (plot) { plot.destroy(); plot = null; } draw(); }

if (spot) {
  draw();
  setInterval(draw, 15000);
  new ResizeObserver(() => { if (plot) plot.setSize({ width: spot.clientWidth, height: 320 }); }).observe(spot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}
