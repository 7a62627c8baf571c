// Puts the parts of the page that the server renders anew in their place.
// What the reader opened, and where the focus is, stays.
"use strict";

const page = document.getElementById("parts");
const lost = document.getElementById("lost");

// Times come in UTC and are shown on the reader's own clock; the title keeps UTC.
const clock = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

function place(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  localise(fresh);
  const old = document.getElementById(fresh.id);
  if (!old) {
    page.append(fresh);
    return;
  }
  if ("keep" in old.dataset && "keep" in fresh.dataset) return; // it is drawn here
  for (const details of old.querySelectorAll("details[id][open]")) {
    const same = fresh.querySelector("#" + CSS.escape(details.id));
    if (same) same.open = true;
  }
  const focus = old.contains(document.activeElement) ? pathTo(document.activeElement) : null;
  const scrolled = [...old.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
  if (focus) focus.path.reduce((at, i) => at && at.children[i], document.getElementById(focus.id))?.focus({ preventScroll: true });
}

// The way down to an element from its nearest ancestor with an id, as positions among siblings.
function pathTo(element) {
  const path = [];
  let at = element;
  for (; !at.id; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return { id: at.id, path };
}

function arrange(order) {
  for (const part of [...page.children]) {
    if (!order.includes(part.id)) part.remove();
  }
  order.forEach((id, i) => {
    const part = document.getElementById(id);
    if (part && page.children[i] !== part) page.insertBefore(part, page.children[i] || null);
  });
}

// A part that the reader is selecting text in waits until the selection is gone.
function selecting() {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed ? selection.anchorNode : null;
}

const waiting = new Map();

function show(parts) {
  for (const [id, html] of Object.entries(parts)) waiting.set(id, html);
  const held = selecting();
  for (const [id, html] of waiting) {
    if (held && document.getElementById(id)?.contains(held)) continue;
    place(html);
    waiting.delete(id);
  }
}

function tab(title, icon) {
  document.title = title;
  const link = document.getElementById("icon");
  if (link.getAttribute("href") !== icon) link.href = icon;
}

// A page that is seen follows a stream. One behind other tabs only keeps its
// title and icon current: browsers open six connections to a server at most,
// and each stream is one.
let events = null;
let glances = 0;

function stream() {
  events = new EventSource(location.pathname);
  events.addEventListener("open", () => { lost.hidden = true; });
  events.addEventListener("error", () => { lost.hidden = false; });
  events.addEventListener("parts", (event) => {
    const { title, icon, order, parts } = JSON.parse(event.data);
    tab(title, icon);
    show(parts);
    arrange(order);
    document.body.dataset.live = "yes";
  });
}

async function glance() {
  const answer = await fetch(location.pathname);
  if (!answer.ok) return;
  const seen = new DOMParser().parseFromString(await answer.text(), "text/html");
  tab(seen.title, seen.getElementById("icon").getAttribute("href"));
}

function follow() {
  clearInterval(glances);
  events?.close();
  if (document.hidden) {
    const again = () => { glance().catch(() => {}); }; // a daemon that is away is asked again
    again();
    glances = setInterval(again, 20000);
  } else {
    stream();
  }
}

localise(document);
document.addEventListener("visibilitychange", follow);
follow();
