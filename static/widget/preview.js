// @ts-check
/** Shows the preview's elements the campaign as it would be: nothing is asked of the server. */
(async () => {
  await customElements.whenDefined('donation-goal');
  const told = JSON.parse(document.getElementById('told')?.textContent || '');
  for (const element of /** @type {NodeListOf<any>} */ (document.querySelectorAll('donation-goal'))) {
    element.show(told);
  }
})();
