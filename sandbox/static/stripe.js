// @ts-check
/*
 * Stands in for Stripe.js where the sandbox stands in for Stripe: as much of it as embedded Checkout
 * takes. It refuses what the real one refuses: another kind of key, the method's former name, a
 * second form on one page.
 */
(() => {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const origin = new URL(script.src).origin;
  let mounted = false;

  const wrong = (/** @type {string} */ message) => {
    const error = new Error(message);
    error.name = 'IntegrationError';
    return error;
  };

  const idOf = async (/** @type {string} */ secret) => {
    const answer = await fetch(`${origin}/endive/session`, { method: 'POST', body: secret });
    if (!answer.ok) throw wrong('The client secret is not one of an open session.');
    return (await answer.json()).id;
  };

  const frameOf = (/** @type {string} */ id) => {
    const frame = document.createElement('iframe');
    frame.src = `${origin}/pay/${id}`;
    frame.title = 'Payment form';
    frame.style.cssText = 'border: 0; display: block; width: 100%; height: 40rem';
    window.addEventListener('message', (event) => {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      if (event.data.sandbox === 'height') frame.style.height = `${event.data.pixels}px`;
      if (event.data.sandbox === 'complete') location.assign(event.data.url);
    });
    return frame;
  };

  const createEmbeddedCheckoutPage = async (/** @type {any} */ { fetchClientSecret }) => {
    if (mounted) throw wrong('You cannot have multiple Embedded Checkout objects.');
    mounted = true;
    const frame = frameOf(await idOf(await fetchClientSecret()));
    return {
      mount: (/** @type {string | Element} */ place) =>
        (typeof place === 'string' ? document.querySelector(place) : place)?.append(frame),
      unmount: () => frame.remove(),
      destroy: () => {
        frame.remove();
        mounted = false;
      },
    };
  };

  const initEmbeddedCheckout = () => {
    throw wrong('initEmbeddedCheckout was renamed to createEmbeddedCheckoutPage.');
  };

  /** @type {any} */ (window).Stripe = (/** @type {string} */ key) => {
    if (!/^pk_test_/.test(key)) throw wrong('Please use a publishable test key: pk_test_…');
    return { createEmbeddedCheckoutPage, initEmbeddedCheckout };
  };
})();
