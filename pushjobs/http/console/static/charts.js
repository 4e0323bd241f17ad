// Draws the charts of a page with uPlot: `data-chart` says which kind, `data-from` where its data stand. When the data
// change, so does the chart; a click on a bar leads where its link does.
(function () {
  "use strict";

  var HEIGHT = 170;
  var drawn = new WeakMap();

  function colour(name) {
    var probe = document.createElement("span");
    probe.style.color = "var(--" + name + ")";
    document.body.appendChild(probe);
    var found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function written(value) {
    return value == null ? "–" : value.toLocaleString("en");
  }

  // Milliseconds from a thousand on as seconds: an axis has little room.
  function withUnit(value, unit) {
    return unit === "ms" && value >= 1000 ? written(value / 1000) + " s" : written(value) + (unit && value != null ? " " + unit : "");
  }

  function options(holder, given) {
    var bars = holder.dataset.chart === "bars";
    var span = given.moments[given.moments.length - 1] - given.moments[0];
    var days = span > 2 * 86400;
    var stamp = uPlot.fmtDate(days ? "{MM}-{DD}" : "{HH}:{mm}");
    var grid = { stroke: colour("line"), width: 1 };
    function when(seconds) {
      return stamp(uPlot.tzDate(new Date(seconds * 1000), given.zone));
    }
    var series = given.series.map(function (each) {
      var tone = colour(each.tone);
      return {
        label: each.label,
        stroke: tone,
        fill: bars ? tone : undefined,
        width: bars ? 0 : 1.5,
        points: { show: !bars && given.moments.length < 3 },
        paths: bars ? uPlot.paths.bars({ size: [0.8, 100], align: 1 }) : undefined,
        value: function (chart, value) { return withUnit(value, given.unit); }
      };
    });
    return {
      width: Math.max(holder.clientWidth, 200),
      height: HEIGHT,
      tzDate: function (seconds) { return uPlot.tzDate(new Date(seconds * 1000), given.zone); },
      cursor: { drag: { x: false, y: false }, y: false },
      scales: {
        x: { range: function (chart, low, high) { return [low, bars ? high + span / Math.max(given.moments.length - 1, 1) : high]; } },
        y: { range: function (chart, low, high) { return [0, Math.max(high || 0, given.limit ? given.limit * 1.1 : 0, 1) * 1.05]; } }
      },
      axes: [
        { stroke: colour("quiet"), grid: grid, ticks: grid, values: function (chart, splits) { return splits.map(when); }, space: 60, splits: days ? function () { return given.moments; } : undefined },
        { stroke: colour("quiet"), grid: grid, ticks: grid, size: 62, values: function (chart, splits) { return splits.map(function (each) { return withUnit(each, given.unit); }); } }
      ],
      series: [{ value: function (chart, value) { return value == null ? "–" : when(value); }, label: given.when }].concat(series),
      hooks: {
        draw: [function (chart) {
          if (given.limit == null) { return; }
          var y = Math.round(chart.valToPos(given.limit, "y", true));
          chart.ctx.save();
          chart.ctx.strokeStyle = colour("danger");
          chart.ctx.setLineDash([4, 4]);
          chart.ctx.beginPath();
          chart.ctx.moveTo(chart.bbox.left, y);
          chart.ctx.lineTo(chart.bbox.left + chart.bbox.width, y);
          chart.ctx.stroke();
          chart.ctx.restore();
        }]
      }
    };
  }

  function draw(holder) {
    var source = document.getElementById(holder.dataset.from);
    var given = JSON.parse(source.dataset.values);
    var known = drawn.get(holder);
    if (known && holder.contains(known.root) && known.given === source.dataset.values) {
      return;
    }
    var data = [given.moments].concat(given.series.map(function (each) { return each.values; }));
    if (known) {
      known.destroy();
    }
    holder.textContent = "";
    var chart = new uPlot(options(holder, given), data, holder);
    chart.given = source.dataset.values;
    drawn.set(holder, chart);
    if (given.links.length) {
      holder.classList.add("leads");
      chart.over.addEventListener("click", function () {
        if (chart.cursor.idx != null && given.links[chart.cursor.idx]) {
          window.location.assign(given.links[chart.cursor.idx]);
        }
      });
    }
  }

  function drawAll() {
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  function drawAnew() {
    drawn = new WeakMap();
    drawAll();
  }

  // A part of the page that was asked for anew brings new data, and may have emptied the place of the chart. This runs
  // before the page is painted, so nothing flickers; what draw() itself changes leads to a look that finds it drawn.
  new MutationObserver(drawAll).observe(document.getElementById("page"), {
    childList: true, subtree: true, attributes: true, attributeFilter: ["data-values"]
  });

  var wait = null;
  window.addEventListener("resize", function () {
    clearTimeout(wait);
    wait = setTimeout(drawAnew, 150);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
  drawAll();
})();
