// Keeps a page current that has no stream: what is in its main part is asked for
// again, unless somebody is busy with it.
"use strict";

async function again() {
  const main = document.querySelector("main");
  const selection = document.getSelection();
  if (document.hidden || main.contains(document.activeElement) || selection && !selection.isCollapsed && main.contains(selection.anchorNode)) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh) main.replaceWith(fresh);
}

setInterval(() => { again().catch(() => {}); }, 10000); // a daemon that is away is asked again
