// @ts-check
/*
 * Conveniences of Goalpost's own pages, all of which work without them: a suggested amount is filled
 * in where it would load the page anew, what it pays for and what the fees would add is said while
 * one types, a form is sent once, and a link can be copied or handed to the device. Every sentence
 * and every sum comes from the server.
 */

/**
 * @template {Element} E
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {E[]}
 */
const all = (selector, within = document) => /** @type {E[]} */ ([...within.querySelectorAll(selector)]);

const form = /** @type {HTMLFormElement | null} */ (document.querySelector('form#give'));
const amount = /** @type {HTMLInputElement | null} */ (document.getElementById('amount'));
if (form && amount) {
  const say = sayFees(form);
  const follow = () => {
    mark(form, amount.value.trim());
    say(amount.value);
  };
  for (const chip of /** @type {HTMLAnchorElement[]} */ (all('.chip', form))) {
    chip.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      amount.value = chip.dataset.amount ?? '';
      follow();
    });
  }
  amount.addEventListener('input', follow);
  for (const choice of /** @type {HTMLInputElement[]} */ (all('[name=frequency]', form))) {
    // For browsers whose style sheets can't ask for it: site.css.
    choice.addEventListener('change', () => showOffer(form, choice.value));
  }
  // What a browser filled in again by itself, after going back or loading anew.
  addEventListener('pageshow', () => {
    if (amount.value !== amount.defaultValue) follow();
  });
}
for (const sent of /** @type {HTMLFormElement[]} */ (all('form[method=post]'))) sendOnce(sent);
all('.share').forEach(offerSharing);

/**
 * Mark the suggestion that is chosen, and say what it pays for.
 *
 * @param {HTMLFormElement} form
 * @param {string} typed
 */
function mark(form, typed) {
  for (const chip of /** @type {HTMLElement[]} */ (all('.chip', form))) {
    if (chip.dataset.amount === typed) chip.setAttribute('aria-current', 'true');
    else chip.removeAttribute('aria-current');
  }
  for (const note of /** @type {HTMLElement[]} */ (all('.note', form))) note.hidden = note.dataset.amount !== typed;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} frequency
 */
function showOffer(form, frequency) {
  for (const offer of /** @type {HTMLElement[]} */ (all('.offer', form))) {
    offer.classList.toggle('current', offer.dataset.frequency === frequency);
  }
}

/**
 * Return what says how much covering the fees adds to an amount as it is typed. The server does the
 * sum; where it doesn't answer, the fees are said in words, so that no wrong sum stays.
 *
 * @param {HTMLFormElement} form
 * @returns {(typed: string) => void}
 */
function sayFees(form) {
  const label = /** @type {HTMLElement | null} */ (form.querySelector('[data-fees]'));
  let timer = 0;
  let asked = new AbortController();
  /** @param {string} typed */
  const ask = async (typed) => {
    if (!label) return;
    try {
      const answer = await fetch(`${label.dataset.fees}&amount=${encodeURIComponent(typed.slice(0, 40))}`, {
        signal: asked.signal,
      });
      label.textContent = answer.ok ? (await answer.json()).label : label.dataset.plain;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'AbortError')) label.textContent = label.dataset.plain ?? '';
    }
  };
  return (typed) => {
    clearTimeout(timer);
    asked.abort();
    asked = new AbortController();
    timer = setTimeout(ask, 200, typed);
  };
}

/**
 * Tell that a form is on its way, and let it be sent again by whoever comes back to it.
 *
 * @param {HTMLFormElement} form
 */
function sendOnce(form) {
  const button = /** @type {HTMLButtonElement | null} */ (form.querySelector('button[data-busy]'));
  if (!button) return;
  const usual = button.textContent;
  form.addEventListener('submit', (event) => {
    if (event.defaultPrevented) return;
    button.textContent = button.dataset.busy ?? usual;
    // Not before the form is on its way: a disabled button would not send it.
    setTimeout(() => { button.disabled = true; });
  });
  addEventListener('pageshow', () => {
    button.textContent = usual;
    button.disabled = false;
  });
}

/**
 * Show what needs a script: copying the link, and the device's own sheet where it has one.
 *
 * @param {Element} share
 */
function offerSharing(share) {
  const [sheet, copy] = ['sheet', 'copy'].map((name) => share.querySelector(`[data-share-${name}]`));
  const said = share.querySelector('[data-share-said]');
  const sheetButton = sheet?.querySelector('button');
  const copyButton = copy?.querySelector('button');
  if (sheet && sheetButton && 'share' in navigator) {
    sheet.removeAttribute('hidden');
    sheetButton.addEventListener('click', () => {
      const { url, title, text } = sheetButton.dataset;
      // A reader who closes the sheet has shared nothing, and nothing is to be said of it.
      navigator.share({ url, title, text }).catch(() => {});
    });
  }
  if (copy && copyButton && said && navigator.clipboard) {
    copy.removeAttribute('hidden');
    copyButton.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(copyButton.dataset.url ?? '');
        said.textContent = copyButton.dataset.done ?? '';
      } catch {
        said.textContent = copyButton.dataset.url ?? '';
      }
    });
  }
}
