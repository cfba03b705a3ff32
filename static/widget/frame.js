// @ts-check
/**
 * The iframe face, where WordPress made it of a pasted address.
 *
 * There it is sandboxed: it can't open a page, and its height is a guess. What it may do is tell the
 * page around it, by WordPress's own messages and with the secret that stands in its address. Where
 * there is no secret it says nothing, and its links work by themselves.
 */
(() => {
  if (parent === self) return;

  /**
   * @param {'height' | 'link'} message
   * @param {number | string} value
   * @returns {string | undefined} the secret, where there is anybody to tell
   */
  const tell = (message, value) => {
    const secret = /[?&]secret=(\w+)/.exec(location.hash)?.[1];
    // The sandbox hides who is around us; who framed us knows all that is said here.
    if (secret) parent.postMessage({ message, value, secret }, '*');
    return secret;
  };

  const page = document.documentElement;
  const tellHeight = () => {
    tell('height', Math.ceil(page.getBoundingClientRect().height));
  };
  new ResizeObserver(tellHeight).observe(page);
  addEventListener('load', tellHeight); // off the screen, an observer waits
  addEventListener('hashchange', tellHeight); // older WordPress adds the secret late
  addEventListener('message', ({ data }) => {
    if (data?.message === 'ready') tellHeight(); // newer WordPress asks, in case it came late
  });

  addEventListener('click', (event) => {
    // The element's link is in a shadow root: seen from here the click is the element's.
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    if (link && tell('link', link.href)) event.preventDefault();
  });
})();
