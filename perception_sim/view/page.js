"use strict";
for (const box of document.querySelectorAll(".toggles")) box.hidden = false;

// Layers drawn over the pictures are switched by a class on the page.
for (const input of document.querySelectorAll("[data-layer]")) {
  input.addEventListener("change", () => {
    document.body.classList.toggle("no-" + input.dataset.layer, !input.checked);
  });
}

// Maps of positions: the chart stays, its picture is exchanged.
const maps = JSON.parse(document.getElementById("heat-maps").textContent);
const chosen = document.getElementById("heat-class");
function show() {
  for (const panel of document.querySelectorAll("#heat [data-part]")) {
    const map = maps[Number(panel.dataset.part)][chosen.value];
    const image = panel.querySelector("image");
    const note = panel.querySelector(".heat-note");
    image.style.visibility = map && map.count ? "visible" : "hidden";
    if (!map || !map.count) {
      note.textContent = "no labelled object of this class";
      continue;
    }
    image.setAttribute("href", map.uri);
    image.removeAttributeNS("http://www.w3.org/1999/xlink", "href");
    note.textContent = `${map.count.toLocaleString("en")} boxes; at the strongest spot ${map.most} % of them overlap`;
  }
}
chosen.addEventListener("change", show);
show();
