// What a form cannot do by itself: tick a page's rows, and send a choice when it is made. Without it all still works.
(function () {
  "use strict";

  document.documentElement.classList.add("with-script");

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
