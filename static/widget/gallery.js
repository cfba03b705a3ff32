// @ts-check
/** Shows the gallery's elements, when all are there, the numbers that the page made up for them. */
(async () => {
  await customElements.whenDefined('donation-goal');
  for (const element of /** @type {NodeListOf<any>} */ (document.querySelectorAll('donation-goal'))) {
    const told = document.getElementById(element.dataset.example);
    element.show(JSON.parse(told?.textContent || ''));
  }
})();
