// What a form cannot do by itself: tick a page's rows, and send a choice when it is made. Without it all still works.
(function () {
  "use strict";

  document.documentElement.classList.add("with-script");

  // On a phone the navigation is wider than the screen.
  var here = document.querySelector("nav [aria-current]");
  if (here) {
    here.scrollIntoView({ block: "nearest", inline: "center" });
  }

  document.addEventListener("change", function (event) {
    var changed = event.target;
    if (changed.matches("[data-submits]")) {
      changed.form.requestSubmit();
    } else if (changed.matches("[data-ticks]")) {
      changed.form.querySelectorAll('input[name="' + changed.dataset.ticks + '"]').forEach(function (each) {
        each.checked = changed.checked;
      });
    }
  });
})();
