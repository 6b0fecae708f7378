// What every page needs: moving through the queue by keys, copying SQL, sending a query.

const typing = (target) => target.closest("input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select") !== null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey) {
    const form = document.getElementById("sql-form");
    if (form && event.key === "Enter") form.requestSubmit(form.querySelector("button.main"));
    return;
  }
  if (event.altKey || typing(event.target)) return;
  const links = [...document.querySelectorAll(".queue .open")];
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (!links.length || !step) return;
  const inside = event.target.closest(".item");
  const at = links.findIndex((link) => link.closest(".item") === inside);
  const next = links[Math.max(0, Math.min(links.length - 1, at + step))];
  next.focus();
  next.closest(".item").scrollIntoView({ block: "nearest" });
  event.preventDefault();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.closest("details").querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.closest("details").querySelector("pre"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return;
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1200);
});

// A date that changes changes what the other filters offer: load the whole page then.
document.addEventListener("change", (event) => {
  const form = event.target.closest("#filters");
  if (form && event.target.type === "date") {
    event.stopPropagation();
    form.submit();
  }
}, true);
