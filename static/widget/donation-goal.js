// @ts-check
/**
 * `<donation-goal campaign="support-us">`: a campaign's goal bar in somebody else's article.
 *
 * It is a guest there. So it sets no cookie and stores nothing, asks for nothing before it nears the
 * screen, works under a policy of `script-src T; connect-src T` with trusted types, never throws, and
 * leaves the link inside it alone until it has something better to show.
 *
 * The server puts the stylesheet and its own address in, see widget/script.py.
 */
(() => {
  /**
   * @typedef {{amount_minor: number, label: string, reached: boolean}} Tier
   * @typedef {{
   *   campaign: string, title: string, locale: string, state: string, donate_url: string,
   *   period: {key: string, label: string, ends_at: string | null}, as_of: string,
   *   raised_minor: number, raised_label: string, percent: number, tiers: Tier[],
   * }} Progress  What `GET /api/v1/campaigns/<slug>` answers, as far as it is used here.
   */

  const NAME = 'donation-goal';
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  /** The tracker: where this script came from or, where it was imported, where it was made. */
  const HOME = new URL('..', script?.src || '@@home@@/embed/v1.js');

  /** The words that are the widget's own, by language; all others come from the server. */
  const WORDS = {
    en: { amount: 'Amount', other: 'Other', donate: 'Donate', of: 'of' },
  };

  // A gift has to show on an open page within a minute: the period and its whole jitter, which keeps
  // a crowd of readers from asking in step, stay below that.
  const POLL_MS = 50e3;
  const JITTER_MS = 8e3;
  const FRESH_MS = 5e3;
  const TIMEOUT_MS = 9e3;

  const framed = top !== self;
  const warn = (/** @type {unknown[]} */ ...words) => console.warn(`[${NAME}]`, ...words);

  /** One campaign's progress, asked for once however many elements of the page show it. */
  class Feed {
    /** @type {Set<DonationGoal>} */
    members = new Set();
    /** @type {Progress | undefined} */
    progress;
    askedAt = 0;
    endsAt = 0;
    timer = 0;

    /** @param {string} url */
    constructor(url) {
      this.url = url;
    }

    /** Ask at once where the value is not fresh, else later; not at all while nobody looks. */
    wake() {
      clearTimeout(this.timer);
      if (document.hidden || ![...this.members].some((element) => element.near)) return;
      const now = Date.now();
      let wait = 0;
      if (now - this.askedAt < FRESH_MS) {
        wait = POLL_MS + Math.random() * JITTER_MS;
        // A month that is still long gone by then is asked after as always: no timer overflows.
        const end = this.endsAt - now;
        if (end > 0 && end < wait) wait = end + Math.random() * 3e3;
      }
      this.timer = setTimeout(() => this.ask(), wait);
    }

    async ask() {
      this.askedAt = Date.now();
      try {
        const answer = await fetch(this.url, {
          cache: 'no-cache', // the browser asks with its ETag
          credentials: 'omit',
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (!answer.ok) throw answer.status;
        /** @type {Progress} */
        const progress = await answer.json();
        // The reader's clock may be wrong, so the time to the month's end is told by the server's.
        // `as_of` is as old as the body where that was "not modified"; the Date header never is.
        const serverNow = Date.parse(answer.headers.get('date') || '') || Date.parse(progress.as_of);
        this.endsAt = Date.now() + Date.parse(progress.period.ends_at || '') - serverNow;
        this.progress = progress;
        for (const element of this.members) element.show(progress);
      } catch (error) {
        warn(this.url, error); // the last value stays, and the next turn tries again
      }
      this.wake();
    }
  }

  /** @type {Record<string, Feed>} */
  const feeds = {};

  const screen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const element = /** @type {DonationGoal} */ (target);
        element.near = isIntersecting;
        element.feed?.wake();
      }
    },
    { rootMargin: '50%' },
  );

  const sheet = new CSSStyleSheet();
  sheet.replaceSync('@@css@@');

  /** @param {Element} node  @param {Record<string, unknown>} attributes */
  const set = (node, attributes) => {
    for (const name in attributes) node.setAttribute(name, `${attributes[name]}`);
  };
  /**
   * @param {Element} parent
   * @param {string} tag
   * @param {string} name  the class, and the part by which a page may style it
   * @param {Record<string, unknown>} [attributes]
   * @returns {any}
   */
  const add = (parent, tag, name, attributes) => {
    const language = tag === 'svg' ? 'http://www.w3.org/2000/svg' : parent.namespaceURI;
    const node = document.createElementNS(language, tag);
    set(node, { class: name, part: name, ...attributes });
    parent.append(node);
    return node;
  };
  /** Tell whether what a node shows has changed, and empty it if so: else focus and place stay. */
  const stale = (/** @type {any} */ node, /** @type {unknown} */ shows) => {
    const key = JSON.stringify(shows);
    if (node.key === key) return false;
    node.key = key;
    node.replaceChildren();
    return true;
  };

  class DonationGoal extends HTMLElement {
    static observedAttributes = ['campaign', 'lang', 'amounts', 'slot-name'];

    near = false;
    /** @type {Feed | undefined} */
    feed;
    /** @type {Progress | undefined} */
    progress;
    sizes = new ResizeObserver(() => this.place());

    constructor() {
      super();
      const root = (this.root = this.attachShadow({ mode: 'open' }));
      root.adoptedStyleSheets = [sheet];
      root.append(document.createElement('slot'));
      const goal = (this.goal = document.createElement('section'));
      set(goal, { class: 'goal', part: 'goal' });
      this.heading = add(goal, 'div', 'title');
      this.tiers = add(goal, 'div', 'tiers');
      this.bar = add(goal, 'svg', 'bar', { role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 });
      const sum = add(goal, 'div', 'sum');
      this.raised = add(sum, 'span', 'raised');
      this.period = add(sum, 'span', 'period');
      this.give = add(goal, 'div', 'give');
      this.choices = add(this.give, 'div', 'amounts', { role: 'radiogroup' });
      // Paying happens at the top: it neither opens in somebody's frame nor takes the frame away.
      this.link = add(this.give, 'a', 'donate', { target: framed ? '_blank' : '_top', rel: 'noopener' });
      this.link.onclick = (/** @type {Event} */ event) => {
        this.aim();
        const going = this.tell('donate', { url: this.link.href, amount: this.amount });
        if (!going) event.preventDefault();
      };
      this.choices.onchange = () => this.aim();
    }

    connectedCallback() {
      this.disconnectedCallback();
      const slug = this.campaign || '';
      if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(slug)) return warn('not a campaign:', slug);
      const url = new URL('api/v1/campaigns/' + slug, HOME);
      if (this.lang) url.searchParams.set('lang', this.lang);
      const feed = (this.feed = feeds[url.href] ||= new Feed(url.href));
      feed.members.add(this);
      if (feed.progress) this.show(feed.progress);
      this.gone = new AbortController();
      // `pageshow` also comes out of the back-forward cache.
      for (const event of ['visibilitychange', 'pageshow', 'online']) {
        addEventListener(event, () => feed.wake(), { capture: true, signal: this.gone.signal });
      }
      screen.observe(this);
      this.sizes.observe(this.bar);
    }

    disconnectedCallback() {
      this.gone?.abort();
      this.feed?.members.delete(this);
      this.feed?.wake(); // which stops where nobody is left
      screen.unobserve(this);
      this.sizes.disconnect();
    }

    attributeChangedCallback() {
      if (!this.isConnected) return;
      this.key = ''; // drawn anew, as soon as there is what to draw
      this.connectedCallback();
    }

    /** Draw a progress, unless it is the one that is drawn. @param {Progress} progress */
    show(progress) {
      const key = JSON.stringify({ ...progress, as_of: 0 });
      if (key === this.key) return;
      try {
        this.draw(progress);
        this.offer(progress);
        if (!this.goal.isConnected) this.root.replaceChildren(this.goal);
        this.place();
        this.key = key;
        this.tell('updated', progress);
      } catch (error) {
        warn(error);
      }
    }

    /** @param {Progress} progress */
    draw({ title, locale, tiers, raised_minor, raised_label, percent, period }) {
      const goal = tiers[tiers.length - 1];
      // Past the highest tier the bar is as long as the sum, and the goal is a mark inside it.
      const whole = Math.max(goal.amount_minor, raised_minor, 1);
      const share = (/** @type {number} */ minor) => (100 * Math.max(0, minor)) / whole + '%';
      this.goal.lang = locale.replace(/_/g, '-');
      set(this.bar, {
        'aria-label': `${title}, ${period.label}`,
        'aria-valuenow': Math.floor(Math.max(0, Math.min(100, percent))),
        'aria-valuetext': `${raised_label} ${this.words.of} ${goal.label}, ${Math.floor(percent)}%`,
      });
      this.heading.textContent = title;
      this.raised.textContent = raised_label;
      this.period.textContent = period.label;
      if (!stale(this.tiers, [tiers, raised_minor])) return;
      const stroke = (/** @type {string} */ name, /** @type {Record<string, unknown>} */ place) =>
        add(this.bar, 'rect', name, { height: '100%', ...place });
      this.bar.replaceChildren();
      stroke('track', { width: '100%' });
      stroke('fill', { width: share(raised_minor) });
      for (const { amount_minor, label, reached } of tiers) {
        const state = reached && amount_minor ? ' reached' : '';
        const item = add(this.tiers, 'div', 'tier' + state);
        item.textContent = label;
        item.share = amount_minor / whole;
        this.sizes.observe(item); // a typeface that comes late changes its width
        if (amount_minor % whole) stroke('mark' + state, { x: share(amount_minor), width: 2 });
      }
    }

    /** Put each label over its mark; where they would touch, in two rows; where not even that, in a list. */
    place() {
      const { tiers } = this;
      tiers.className = 'tiers';
      const width = tiers.clientWidth;
      const ends = [0, 0];
      for (const item of tiers.children) {
        const size = item.offsetWidth;
        const start = Math.max(0, Math.min(item.share * width - size / 2, width - size));
        const row = +(start < ends[0]);
        if (start < ends[row] || size > width) tiers.className = 'tiers list';
        ends[row] = start + size + 10;
        item.classList.toggle('up', row);
        item.style.insetInlineStart = start + 'px';
      }
      if (ends[1]) tiers.classList.add('rows');
    }

    /** Offer the amounts and the way to the donate page. @param {Progress} progress */
    offer({ locale, tiers, state, donate_url, campaign }) {
      const words = this.words;
      this.give.style.display = state === 'open' ? '' : 'none';
      const given = (this.amounts || '')
        .split(',')
        .map(Number)
        .filter((amount) => amount > 0 && amount < 1e7);
      const amounts = given.length ? given.slice(0, 6) : [5, 10, 20, 50];
      // The server prints money as the campaign wants it: "0 $" shows how, and lends its place.
      const zero = tiers[0].label;
      const print = new Intl.NumberFormat(this.goal.lang).format;
      set(this.choices, { 'aria-label': words.amount });
      if (stale(this.choices, [amounts, zero, locale])) {
        for (const value of [...amounts, '']) {
          const label = add(this.choices, 'label', 'amount');
          add(label, 'input', 'choice', { type: 'radio', name: 'amount', value });
          label.append(value ? zero.replace(/\p{Nd}[\p{Nd}.,٫]*/u, print(+value)) : words.other);
        }
      }
      const link = this.querySelector('a');
      this.link.textContent = link?.textContent?.trim() || link?.querySelector('img')?.alt || words.donate;
      const url = new URL(donate_url, HOME);
      // An address that leads elsewhere is not believed, whoever sent it.
      this.page = url.origin === HOME.origin ? url : new URL('c/' + campaign, HOME);
      this.aim();
    }

    /** Point the link at the donate page, with the amount and where the reader comes from. */
    aim() {
      const url = new URL(this.page || HOME);
      const put = (/** @type {string} */ name, /** @type {string | null | undefined} */ value) =>
        value && url.searchParams.set(name, value);
      put('amount', this.amount);
      // In our own iframe face the article is the page around it.
      const own = framed && location.origin === HOME.origin;
      put('source', (own ? document.referrer : location.href).split(/[?#]/)[0]);
      put('slot', this.slotName);
      this.link.href = url;
    }

    /** The chosen amount: '' where it is another one, undefined where there is none yet. @returns {string | undefined} */
    get amount() {
      return this.choices.querySelector(':checked')?.value;
    }

    get words() {
      return WORDS[/** @type {'en'} */ (this.lang.slice(0, 2))] || WORDS.en;
    }

    /** @param {string} what  @param {object} detail  @returns {boolean} whether nobody prevented it */
    tell(what, detail) {
      return this.dispatchEvent(
        new CustomEvent(`${NAME}:${what}`, { detail, bubbles: true, composed: true, cancelable: true }),
      );
    }
  }

  /** Properties that mirror the attributes; `lang` is every element's own. */
  for (const name of ['campaign', 'theme', 'amounts', 'slot-name', 'compact']) {
    const flag = name === 'compact';
    Object.defineProperty(DonationGoal.prototype, name.replace('-n', 'N'), {
      get() {
        return flag ? this.hasAttribute(name) : this.getAttribute(name);
      },
      set(value) {
        if (flag) this.toggleAttribute(name, value);
        else this.setAttribute(name, value);
      },
    });
  }

  if (!customElements.get(NAME)) customElements.define(NAME, DonationGoal);
})();
