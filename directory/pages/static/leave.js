// Leaving quickly: the link, or the Escape key three times within two seconds.
// location.replace keeps this page out of the back button; the rest of the history is the browser's.
"use strict";
(() => {
  const link = document.getElementById("leave");
  const go = () => {
    document.documentElement.hidden = true;
    window.location.replace(link.href);
  };
  let presses = [];
  link.addEventListener("click", (event) => {
    event.preventDefault();
    go();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const now = Date.now();
    presses = presses.filter((at) => now - at < 2000).concat(now);
    if (presses.length >= 3) go();
  });
})();
