// @ts-check
/*
 * The one convenience of the donate page. The suggested amounts are links that load the page anew
 * with the amount filled in, which would lose what stands in the other fields; here the same happens
 * in place.
 */
const amount = /** @type {HTMLInputElement | null} */ (document.getElementById('amount'));
const chips = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('.chip'));

const mark = () => {
  for (const chip of chips) {
    if (chip.dataset.amount === amount?.value.trim()) chip.setAttribute('aria-current', 'true');
    else chip.removeAttribute('aria-current');
  }
};

for (const chip of chips) {
  chip.addEventListener('click', (event) => {
    if (!amount || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    amount.value = chip.dataset.amount ?? '';
    mark();
  });
}
amount?.addEventListener('input', mark);
