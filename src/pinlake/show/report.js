"use strict";
const key = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
const compare = (a, b) => a !== "" && b !== "" && isFinite(a) && isFinite(b) ? a - b : a.localeCompare(b);
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(key(a, column), key(b, column)) * (down ? -1 : 1));
    table.tBodies[0].append(...rows);
  }));
}
const quoted = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const table = document.getElementById(button.dataset.table);
    const lines = [...table.rows].map(row => [...row.cells].map((_, column) => quoted(key(row, column).trim())).join(","));
    const area = document.createElement("textarea");
    area.value = lines.join("\n") + "\n";
    // The clipboard's own interface is missing in files that are opened from a mail.
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    if (!done) await navigator.clipboard?.writeText(area.value);
    area.remove();
    button.focus();
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy as CSV"; }, 2000);
  });
}
