// Leaving quickly: the link, or the Escape key three times within two seconds.
// location.replace keeps this page out of the back button; the rest of the history is the browser's.
"use strict";
(() => {
  const link = document.getElementById("leave");
  const go = () => {
    // Loading another page takes a while on a slow line; this one must be gone at once.
    document.documentElement.hidden = true;
    window.location.replace(link.href);
  };
  let presses = [];
  link.addEventListener("click", (event) => {
    event.preventDefault();
    go();
  });
  document.addEventListener("keydown", (event) => {
    // A key that is held down repeats by itself; that is not three presses.
    if (event.key !== "Escape" || event.repeat) return;
    const now = Date.now();
    presses = presses.filter((at) => now - at < 2000).concat(now);
    if (presses.length >= 3) go();
  });
  document.getElementById("keys").hidden = false;
})();
