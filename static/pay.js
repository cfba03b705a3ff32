// @ts-check
/*
 * The page in which one pays: fetches Stripe's own script from Stripe and has it mount the payment
 * form. Where that fails (blocked, offline), the page says so; its button leads to Stripe's page.
 */
const WAIT_MILLISECONDS = 20_000;

const place = /** @type {HTMLElement} */ (document.getElementById('checkout'));
const waiting = /** @type {HTMLElement} */ (document.getElementById('waiting'));
const trouble = /** @type {HTMLElement} */ (document.getElementById('trouble'));

/** @param {string} address */
const load = (address) =>
  new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = address;
    script.async = true;
    script.addEventListener('load', resolve);
    script.addEventListener('error', () => reject(new Error('its script can’t be loaded')));
    setTimeout(() => reject(new Error('its script takes too long')), WAIT_MILLISECONDS);
    document.head.append(script);
  });

const mount = async () => {
  const { script = '', key = '', secret = '' } = place.dataset;
  delete place.dataset.secret;
  await load(script);
  const stripe = /** @type {any} */ (window).Stripe(key);
  const page = await stripe.createEmbeddedCheckoutPage({ fetchClientSecret: async () => secret });
  waiting.remove();
  page.mount(place);
};

waiting.hidden = false;
mount().catch((error) => {
  console.warn('goalpost: no payment form:', error);
  waiting.remove();
  trouble.hidden = false;
});

// Back from elsewhere by the browser's own button: what was mounted may be over by now.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
