// What pages do beyond HTML: copy what is to be pasted elsewhere, go through lists with the keyboard, and show
// a failure in their icon as it happens.
// Everything works without it.
"use strict";
{
  const main = document.getElementById("main");
  const said = document.createElement("div"); // read out by screen readers, seen by nobody
  said.className = "unseen";
  said.setAttribute("role", "status");
  document.body.append(said);

  // Copying

  async function copy(button) {
    const block = button.parentElement;
    const text = (block.querySelector("code") ?? block.firstChild).textContent;
    try {
      await navigator.clipboard.writeText(text); // there only under https and on localhost
    } catch {
      const field = document.createElement("textarea");
      field.className = "unseen";
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      button.focus();
      if (!done) return say(button, "Select it");
    }
    say(button, "Copied");
  }

  function say(button, text) {
    button.textContent = said.textContent = text;
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  }

  let focused = null; // the block whose button has the focus; a live part takes the button away
  document.addEventListener("pointerdown", () => { focused = null; });
  document.addEventListener("focusin", ({ target }) => { focused = target.matches(".copy") ? target.parentElement : null; });

  function addCopyButtons() {
    for (const block of document.querySelectorAll("pre:not(:has(> .copy))")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", () => copy(button));
      block.classList.add("copied");
      block.append(button);
      if (block === focused && document.activeElement === document.body) button.focus();
    }
  }

  // The icon: what a live page loads anew is put into its body alone

  function showIcon() {
    const href = document.getElementById("icon-now")?.dataset.icon;
    const icon = document.querySelector("link[rel=icon]");
    if (href && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  }

  const whatChanged = () => { addCopyButtons(); showIcon(); };
  whatChanged();
  new MutationObserver(whatChanged).observe(main, { childList: true, subtree: true });

  // Keys: j and k go through a list of events, / to the text filter, ? shows them all

  const OFF = "pingpilot-keys-off";
  const keysAreOff = () => localStorage.getItem(OFF) !== null;
  let place = -1; // in the list, for the case that the event there has left it

  function move(step) {
    const links = [...document.querySelectorAll(".events .said a")];
    if (!links.length) return;
    const now = links.indexOf(document.activeElement);
    place = now >= 0 ? now + step : Math.max(0, place);
    place = Math.min(links.length - 1, Math.max(0, place));
    links[place].focus();
    links[place].scrollIntoView({ block: "nearest" });
  }

  function showKeys() {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "keys");
    dialog.innerHTML = `<h2 id="keys">Keys</h2>
      <dl class="pair"><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next and previous event</dd><dt><kbd>Enter</kbd></dt><dd>open it</dd>
      <dt><kbd>/</kbd></dt><dd>look for a text in the list of events</dd><dt><kbd>?</kbd></dt><dd>show these keys</dd></dl>
      <form method="dialog"><p><label class="inline"><input type="checkbox" id="keys-on"> Use j, k and /</label></p><button>Close</button></form>`;
    const box = dialog.querySelector("#keys-on");
    box.checked = !keysAreOff();
    box.addEventListener("change", () => box.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
    for (const end of ["cancel", "close"]) dialog.addEventListener(end, () => dialog.remove()); // at once, or its box still has the keys
    document.body.append(dialog);
    dialog.showModal();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    if (event.key !== "?" && keysAreOff()) return;
    const text = document.getElementById("text");
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && text) { text.focus(); text.select(); }
    else if (event.key === "?") showKeys();
    else return;
    event.preventDefault();
  });
}
