// Pages of figures look again by themselves while somebody looks at them: a part that has `data-look` is sent the event
// `look` every so many seconds, for which htmx asks. What could not be asked for a while is marked as old.
(function () {
  "use strict";

  var OLD_SECONDS = 15;
  var looked = new WeakMap();

  function now() {
    return performance.now() / 1000;
  }

  function lookAgain() {
    if (document.hidden) {
      return;
    }
    document.querySelectorAll("[data-look]").forEach(function (part) {
      var known = looked.get(part);
      if (!known) {
        known = { asked: now(), told: now() };
        looked.set(part, known);
      }
      if (now() - known.asked >= Number(part.dataset.look)) {
        known.asked = now();
        part.dispatchEvent(new CustomEvent("look"));
      }
      part.classList.toggle("is-old", now() - known.told > OLD_SECONDS);
    });
  }

  // An answer changes the part, or puts another one in its place.
  new MutationObserver(function (changes) {
    changes.forEach(function (change) {
      var part = change.target.closest ? change.target.closest("[data-look]") : null;
      var known = part && looked.get(part);
      if (known && change.attributeName !== "class") {
        known.told = now();
      }
    });
  }).observe(document.getElementById("page"), { childList: true, subtree: true, characterData: true, attributes: true });

  setInterval(lookAgain, 500);
  document.addEventListener("visibilitychange", lookAgain);
})();
