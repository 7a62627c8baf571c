// Puts the parts of the page that the server renders anew in their place.
// What the reader opened, and where the focus is, stays.
"use strict";

const page = document.getElementById("parts");
const lost = document.getElementById("lost");

function place(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  const old = document.getElementById(fresh.id);
  if (!old) {
    page.append(fresh);
    return;
  }
  for (const details of old.querySelectorAll("details[id][open]")) {
    const same = fresh.querySelector("#" + CSS.escape(details.id));
    if (same) same.open = true;
  }
  const focus = old.contains(document.activeElement) ? pathTo(document.activeElement) : null;
  old.replaceWith(fresh);
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

const events = new EventSource("/events");
events.addEventListener("open", () => { lost.hidden = true; });
events.addEventListener("error", () => { lost.hidden = false; });
events.addEventListener("parts", (event) => {
  const { order, parts } = JSON.parse(event.data);
  show(parts);
  arrange(order);
});
