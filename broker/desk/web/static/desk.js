// What works without a script too, sooner: Escape three times locks; typing keeps the desk open;
// a page that is left alone goes when the desk locks, unless something was typed into it.
"use strict";
(() => {
  const { idleSeconds, home, here, typing } = document.body.dataset;
  const lock = document.getElementById("lock");
  const idle = Number(idleSeconds) * 1000;
  const TELL_EVERY = 30000;
  let presses = [];
  let told = Date.now();
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (!typing) window.location.replace(home);
    }, idle + 1500);
  };
  const tell = () => {
    if (Date.now() - told < TELL_EVERY) return;
    told = Date.now();
    fetch(here, { method: "POST", body: new URLSearchParams({ csrf: lock.elements.csrf.value }) }).then(wait, () => {});
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const now = Date.now();
    presses = presses.filter((at) => now - at < 2000).concat(now);
    if (presses.length >= 3) {
      document.documentElement.hidden = true;
      lock.submit();
    }
  });
  document.addEventListener("input", tell);
  document.getElementById("escape").hidden = false;
  wait();
})();
