// Keeps the page fresh, says when it is not, and asks before a command goes out. It holds no number of its own.
"use strict";
(() => {
  const body = document.body;
  const at = (id) => document.getElementById(id);
  const patience = Number(body.dataset.patience);
  const act = document.querySelector('meta[name="act"]').content;
  const late = "It gave no answer in time: it may have been taken or not. Look at the decisions.";

  // -- how old is what stands here --------------------------------------------------------------------------------

  // `fresh`: when the picture last was another one; `heard`: when the session last said anything at all.
  let stamp = body.dataset.ts, shownAt = body.dataset.at, title = document.title;
  let fresh = Date.now(), heard = fresh, fault = "", refused = false;

  function look() {
    const now = Date.now();
    const old = now - fresh, silent = now - heard;
    const stale = old > patience || old < -1000;
    const seconds = Math.max(Math.round(old / 1000), 0);
    body.classList.toggle("stale", stale);
    const pulse = at("pulse");
    if (pulse) pulse.textContent = stale ? `${seconds} s old` : "live";
    document.title = stale ? `OLD · ${title}` : title;
    if (!stale) return;
    const why = refused ? "The session does not take this page any more: open the address that it prints when it starts."
      : silent > patience ? `Nothing was heard of the session for ${Math.round(silent / 1000)} s.`
      : fault ? `Heard, but ${fault}.`
      : "The session answers, but its picture stands still.";
    const text = `${why} What is below is of ${shownAt} New York, ${seconds} s ago.`;
    if (at("why").textContent !== text) at("why").textContent = text;
  }

  function take(told) {
    heard = Date.now();
    fault = "";
    if (told.ts !== stamp) {
      stamp = told.ts;
      fresh = heard;
    }
    shownAt = told.at;
    title = told.title;
    body.dataset.tone = told.tone;
    for (const [id, html] of Object.entries(told.parts)) {
      const part = at(id);
      const log = part.querySelector(".log");
      const down = log ? log.scrollTop : 0;
      part.innerHTML = html; // every word in it was escaped where it was made
      if (down) part.querySelector(".log").scrollTop = down;
    }
    look();
  }

  function listen() {
    const source = new EventSource("/events");
    source.onopen = () => { refused = false; };
    source.onmessage = (event) => take(JSON.parse(event.data));
    source.addEventListener("fault", (event) => {
      heard = Date.now();
      fault = event.data;
      look();
    });
    source.onerror = () => {
      // A broken connection is tried again by the browser; a refusal is not.
      if (source.readyState !== EventSource.CLOSED) return;
      refused = true;
      look();
      setTimeout(listen, 3000);
    };
  }

  // -- commands ---------------------------------------------------------------------------------------------------

  const dialog = at("ask"), yes = at("yes"), no = at("no"), told = at("ask-told");
  let word = "", step = 0, turn = 0, twice = {};

  function open(button) {
    turn += 1;
    word = button.dataset.word;
    twice = { say: button.dataset.again, yes: button.dataset.againYes };
    step = 1;
    at("ask-name").textContent = button.textContent;
    at("ask-say").textContent = button.dataset.say;
    answer("", false);
    yes.textContent = button.dataset.yes;
    yes.hidden = yes.disabled = false;
    yes.className = "";
    no.textContent = "Not now";
    dialog.showModal();
    no.focus();
  }

  function answer(text, bad) {
    told.textContent = text;
    told.className = bad ? "bad" : "";
  }

  function end(bad) {
    at("ask-say").textContent = bad ? "" : "The session answers:";
    yes.hidden = true;
    no.textContent = "Close";
    no.focus();
  }

  async function send() {
    const mine = turn;
    yes.disabled = true;
    let text = late, again = false, bad = true;
    try {
      const reply = await fetch("/command", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Tomking-Act": act },
        body: JSON.stringify({ word, confirm: step }),
        signal: AbortSignal.timeout(20000),
      });
      if (reply.ok) {
        ({ text, again } = await reply.json());
        bad = false;
      } else {
        text = (await reply.text()).trim();
      }
    } catch { /* late says it */ }
    if (mine !== turn) return;
    answer(text, bad);
    if (!again) return end(bad);
    step = 2;
    at("ask-say").textContent = twice.say;
    yes.textContent = twice.yes;
    yes.className = "grave";
    no.focus();
    // A double click must not answer both questions, and an answer of a minute ago is none.
    setTimeout(() => { if (mine === turn) yes.disabled = false; }, 700);
    setTimeout(() => { if (mine === turn && dialog.open && step === 2 && !yes.hidden) dialog.close(); }, 60000);
  }

  for (const button of document.querySelectorAll("nav button")) button.addEventListener("click", () => open(button));
  yes.addEventListener("click", send);
  no.addEventListener("click", () => dialog.close());

  // -- begin ------------------------------------------------------------------------------------------------------

  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  document.addEventListener("visibilitychange", look);
  setInterval(look, 250);
  document.documentElement.classList.add("scripted");
  look();
  listen();
})();
