// @ts-check
// In a frame: tells the stand-in for Stripe.js around it how high it is, and where to go when done.
const tell = (/** @type {object} */ message) => window.parent.postMessage(message, '*');
const height = () => tell({ sandbox: 'height', pixels: document.documentElement.offsetHeight });
new ResizeObserver(height).observe(document.documentElement);
height();

const done = /** @type {HTMLAnchorElement | null} */ (document.getElementById('return'));
if (done) tell({ sandbox: 'complete', url: done.href });
