// What a script adds to pages that work without one: the theme's switch, copying, a job as it goes on.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  const recall = () => { try { return localStorage.getItem("theme") || "system"; } catch { return "system"; } };
  // Pictures follow the system by their own media; where a theme was chosen, they follow that.
  const wanted = { system: "(prefers-color-scheme: dark)", dark: "all", light: "not all" };
  const applyToPictures = () => {
    for (const source of document.querySelectorAll("picture.chart source")) source.media = wanted[recall()];
  };
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    applyToPictures();
  };
  apply(recall());

  const addSwitch = () => {
    const button = document.querySelector("button.theme");
    const tell = () => { button.textContent = `Theme: ${recall()}`; };
    button.hidden = false;
    tell();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(recall()) + 1) % themes.length];
      try { localStorage.setItem("theme", next); } catch { return; }
      apply(next);
      tell();
    });
  };

  const addCopiers = () => {
    for (const button of document.querySelectorAll("button.copier")) {
      if (!navigator.clipboard) continue;
      button.hidden = false;
      button.addEventListener("click", async () => {
        const text = button.parentElement.querySelector("code").textContent;
        const copied = navigator.clipboard.writeText(text.replaceAll("$BROCA_URL", location.origin));
        button.textContent = await copied.then(() => "Copied", () => "Refused");
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    }
  };

  // The server draws the job; a change only says that it is to be drawn again, at most twice a second.
  const follow = () => {
    const live = document.querySelector("[data-events]");
    if (!live || !window.EventSource) return;
    const source = new EventSource(live.dataset.events);
    const place = (one) => one.value || one.getAttribute("href") || one.getAttribute("aria-label");
    let waits = false;
    let shown = live.outerHTML;
    const draw = async () => {
      waits = false;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const drawn = page.getElementById("job");
      if (!drawn || drawn.outerHTML === shown) return;
      shown = drawn.outerHTML;
      const old = document.getElementById("job");
      const held = old.contains(document.activeElement) ? place(document.activeElement) : null;
      old.replaceWith(drawn);
      const places = held ? [...drawn.querySelectorAll("a, button, [tabindex]")] : [];
      places.find((one) => place(one) === held)?.focus({ preventScroll: true });
      if (!drawn.dataset.events) source.close();
    };
    const soon = () => { if (!waits) { waits = true; setTimeout(draw, 500); } };
    for (const type of live.dataset.types.split(" ")) source.addEventListener(type, soon);
    // Within a stage nothing happens, but the bars go on.
    const beat = setInterval(() => { if (source.readyState === EventSource.CLOSED) clearInterval(beat); else soon(); }, 3000);
  };

  // Charts are drawn one after the other; who comes while too many wait is told to come again.
  const askAgain = () => {
    for (const image of document.querySelectorAll("picture.chart img")) {
      let tries = 0;
      const again = () => { if (tries++ < 6) setTimeout(() => { image.src = image.getAttribute("src"); }, 1500 * tries); };
      image.addEventListener("error", again);
      if (image.complete && image.naturalWidth === 0) again();
    }
  };

  // Lists are drawn again every few seconds while they are looked at, unless somebody is just at a place inside.
  const refresh = () => {
    const seconds = Number(document.querySelector("[data-refresh]")?.dataset.refresh);
    if (!seconds) return;
    const redraw = async () => {
      const old = [...document.querySelectorAll("[data-refresh]")];
      if (!document.hidden && old.length && !old.some((one) => one.contains(document.activeElement))) {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
        const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
        for (const one of page ? old : []) {
          const drawn = page.getElementById(one.id);
          if (drawn) one.replaceWith(drawn);
        }
      }
      if (old.length) setTimeout(redraw, 1000 * seconds);
    };
    setTimeout(redraw, 1000 * seconds);
  };

  addEventListener("DOMContentLoaded", () => { applyToPictures(); addSwitch(); addCopiers(); follow(); refresh(); askAgain(); });
})();
