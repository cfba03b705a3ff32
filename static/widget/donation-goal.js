// @ts-check
/**
 * `<donation-goal campaign="support-us">`: a campaign's goal bar in somebody else's article.
 *
 * It is a guest there. So it sets no cookie and stores nothing, asks for nothing before it nears the
 * screen, works under a policy of `script-src T; connect-src T` with trusted types, never throws, and
 * leaves the link inside it alone until it has something better to show. What it shows is worked out
 * by the server: it words nothing and computes nothing but where there is room for a label.
 *
 * The server puts the stylesheet and its own address in, see widget/script.py.
 */
(() => {
  /**
   * @typedef {{label: string, share: number, state: '' | 'next' | 'reached'}} Mark
   * @typedef {{frequency: string, label: string, choices: [value: string, label: string][]}} Offer
   * @typedef {{
   *   lang: string, dir: string, accent: [light: string, dark: string], bar_label: string,
   *   value_text: string, now: number, fill: number, expected: number, marks: Mark[],
   *   goal_label: string, percent_label: string, status: string, notes: string[], recent: string[],
   *   offers: Offer[], donate_label: string, amount: string, other: string, often: string,
   * }} Face
   * @typedef {{
   *   campaign: string, title: string, state: string, raised_label: string,
   *   period: {label: string, ends_at: string}, as_of: string, face: Face,
   * }} Progress  What `GET /api/v1/campaigns/<slug>?with=face` answers, as far as it is used here.
   */

  const NAME = 'donation-goal';
  /** The tracker: where this script came from or, where it was imported, where it was made. */
  const HOME = new URL('..', /** @type {any} */ (document.currentScript)?.src || '@@home@@/embed/v1.js');

  const framed = top !== self;
  const report = (/** @type {unknown[]} */ ...texts) => console.warn(`[${NAME}]`, ...texts);

  /**
   * One campaign's progress, asked for once however many elements of the page show it.
   *
   * @typedef {{members: Set<DonationGoal>, wake: () => void, progress?: Progress}} Feed
   * @param {string} address
   * @returns {Feed}
   */
  const openFeed = (address) => {
    let askedAt = 0;
    let endsAt = 0;
    let failures = 0;
    let timer = 0;

    /** Ask at once where the value is not fresh, else later; not at all while nobody looks. */
    const wake = () => {
      clearTimeout(timer);
      if (document.hidden || ![...feed.members].some((element) => element.near)) return;
      const today = Date.now();
      // A value is fresh for five seconds. A tracker in trouble is asked less and less, and not by
      // every reader who returns.
      const patience = Math.min(9, failures) || 1;
      const jitter = Math.random() * 8e3;
      let wait = 0;
      if (today - askedAt < 5e3 * patience ** 2) {
        // A gift has to show on an open page within a minute: 50 seconds and the whole jitter, which
        // keeps a crowd of readers from asking in step, stay below that.
        wait = (50e3 + jitter) * patience;
        // A month that is still long gone by then is asked after as always: no timer overflows.
        const left = endsAt - today;
        if (left > 0 && left < wait) wait = left + jitter;
      }
      timer = setTimeout(ask, wait);
    };

    const ask = async () => {
      askedAt = Date.now();
      try {
        const answer = await fetch(address, {
          cache: 'no-cache', // the browser asks with its ETag
          credentials: 'omit',
          signal: AbortSignal.timeout(9e3),
        });
        if (!answer.ok) throw answer.status;
        /** @type {Progress} */
        const progress = await answer.json();
        // The reader's clock may be wrong, so the time to the month's end is told by the server's.
        // `as_of` is as old as the body where that was "not modified"; the Date header never is.
        const serverNow = Date.parse(answer.headers.get('date') || progress.as_of);
        endsAt = Date.now() + Date.parse(progress.period.ends_at) - serverNow;
        for (const element of feed.members) element.show(progress);
        feed.progress = progress;
        failures = 0;
      } catch (error) {
        failures++;
        report(address, error); // the last value stays, and a later turn tries again
      }
      wake();
    };

    /** @type {Feed} */
    const feed = { members: new Set(), wake };
    return feed;
  };

  /** @type {Record<string, Feed>} */
  const feeds = {};
  // `pageshow` also comes out of the back-forward cache.
  for (const event of ['visibilitychange', 'pageshow']) {
    addEventListener(event, () => {
      for (const url in feeds) feeds[url].wake();
    });
  }

  const screen = new IntersectionObserver(
    (/** @type {any[]} */ entries) => {
      for (const { target: element, isIntersecting } of entries) {
        element.near = isIntersecting;
        element.feed?.wake();
      }
    },
    { rootMargin: '50%' },
  );

  const sheet = new CSSStyleSheet();
  sheet.replaceSync('@@css@@');

  /** @param {Element} node  @param {any} attributes */
  const assign = (node, attributes) => {
    for (const name in attributes) node.setAttribute(name, attributes[name]);
  };
  /**
   * Add a node.
   *
   * @param {Node} parent
   * @param {string} name  the class, and the part by which a page may style it
   * @param {string | Record<string, unknown>} [content]  its text, or its attributes
   * @param {string} [tag]
   * @returns {any}
   */
  const make = (parent, name, content, tag = 'div') => {
    const node = document.createElement(tag);
    assign(node, { class: name, part: name });
    if (typeof content == 'string') node.append(content);
    else assign(node, content);
    return parent.appendChild(node);
  };
  /** @param {any} group  @returns {string | undefined} what is chosen of its radio buttons */
  const chosen = (group) => group.querySelector(':checked')?.value;
  /**
   * Offer radio buttons, anew only where they are others: else focus and choice stay.
   *
   * @param {any} group
   * @param {string} name
   * @param {string} told
   * @param {string[][]} pairs  the value and the label of each
   * @param {string | undefined} first  the value that is chosen
   */
  const offer = (group, name, told, pairs, first) => {
    const stamp = told + pairs;
    if (group.stamp === stamp) return;
    group.stamp = stamp;
    group.replaceChildren();
    assign(group, { role: 'radiogroup', 'aria-label': told });
    for (const [value, label] of pairs) {
      const item = make(group, name, {}, 'label');
      make(item, 'choice', { type: 'radio', name, value }, 'input').checked = value === first;
      item.append(label);
    }
  };

  class DonationGoal extends HTMLElement {
    static observedAttributes = ['campaign', 'lang', 'theme', 'slot-name', 'amounts', 'compact'];

    near = false;
    /** @type {Feed | undefined} */
    feed;
    /** @type {any} the Progress that is drawn */
    progress;
    sizes = new ResizeObserver(() => this.place());

    constructor() {
      super();
      const shade = this.attachShadow({ mode: 'open' });
      shade.adoptedStyleSheets = [sheet];
      this.box = make(shade, 'goal');
      this.upper = make(this.box, 'face');
      make(this.upper, 'link', {}, 'slot');
      this.lower = make(this.box, 'give');
      this.rhythm = make(this.lower, 'often');
      this.sums = make(this.lower, 'amounts');
      // Paying happens at the top: it neither opens in somebody's frame nor takes the frame away.
      this.link = make(this.lower, 'donate', { target: framed ? '_blank' : '_top', rel: 'noopener' }, 'a');
      this.link.onclick = () => this.tell('donate', this.choose()); // false where the page prevents it
      this.lower.onchange = () => this.choose();
      screen.observe(this);
    }

    connectedCallback() {
      this.disconnectedCallback();
      const slug = this.campaign || '';
      if (!/^[a-z0-9-]+$/.test(slug)) return report('not a campaign:', slug);
      const url = new URL(`api/v1/campaigns/${slug}?with=face`, HOME);
      if (this.lang) url.searchParams.set('lang', this.lang);
      const feed = (this.feed = feeds[url.href] ||= openFeed(url.href));
      feed.members.add(this);
      if (feed.progress) this.show(feed.progress);
      feed.wake();
    }

    disconnectedCallback() {
      this.feed?.members.delete(this);
      this.feed?.wake(); // which stops where nobody is left
      this.stamp = ''; // drawn anew, as soon as there is what to draw
    }

    attributeChangedCallback() {
      if (this.isConnected) this.connectedCallback();
    }

    /** Draw a progress, unless it is the one that is drawn. @param {Progress} progress */
    show(progress) {
      const stamp = JSON.stringify({ ...progress, as_of: 0 });
      if (stamp === this.stamp) return;
      this.progress = progress;
      this.draw(progress);
      this.choose();
      this.stamp = stamp;
      this.tell('updated', progress);
    }

    /** @param {Progress} progress */
    draw({ title, raised_label, period, state, face }) {
      const { box, upper, sizes } = this;
      assign(box, { lang: face.lang, dir: face.dir });
      box.style.setProperty('--_accent', `light-dark(${face.accent})`);
      this.lower.style.display = state === 'open' ? 'flex' : 'none';
      sizes.disconnect();
      upper.replaceChildren();
      make(upper, 'title', title);
      const scale = (this.scale = make(upper, 'tiers'));
      if (face.marks[0]) {
        const rail = make(upper, 'bar', {
          role: 'progressbar',
          'aria-label': face.bar_label,
          'aria-valuemin': 0,
          'aria-valuemax': 100,
          'aria-valuenow': face.now,
          'aria-valuetext': face.value_text,
        });
        const stroke = (/** @type {string} */ name, /** @type {number} */ share) => {
          make(rail, name).style.width = share + '%';
        };
        stroke('expected', face.expected);
        stroke('fill', face.fill);
        for (const { label, share, state } of face.marks) {
          const item = make(scale, 'tier ' + (share ? state : ''), label);
          item.share = share / 100;
          sizes.observe(item); // a typeface that comes late changes its width
          stroke('mark ' + state, share);
        }
        sizes.observe(rail);
      }
      const line = make(upper, 'sum');
      make(line, 'raised', raised_label);
      make(line, 'of', face.goal_label && `${face.goal_label} · ${face.percent_label}`);
      make(line, 'period', period.label);
      make(upper, 'status', face.status);
      make(upper, 'notes', face.notes.join(' · '));
      const last = make(upper, 'recent', {}, 'ul');
      for (const text of face.recent) make(last, 'gift', text, 'li');
      this.place();
    }

    /** Put each label over its mark, or beside it where others are in the way; where not even that, in a list. */
    place() {
      const { scale } = this;
      scale.className = 'tiers';
      const whole = scale.clientWidth;
      const gap = 10;
      let free = 0;
      const placed = [...scale.children].map((item) => {
        const begin = Math.max(free, item.share * whole - item.offsetWidth / 2);
        free = begin + item.offsetWidth + gap;
        return { item, begin };
      });
      free = whole;
      for (const { item, begin } of placed.reverse()) {
        free = Math.min(begin, free - item.offsetWidth);
        item.style.insetInlineStart = free + 'px';
        if (free < 0) scale.className = 'tiers list';
        free -= gap;
      }
    }

    /** Offer how often and how much to give; point the link at the donate page, and return where and what. */
    choose() {
      const { rhythm, sums, link } = this;
      const { campaign, face } = this.progress;
      // As many as stand side by side; the donate page offers the rest.
      const shown = face.offers.slice(0, 2);
      offer(rhythm, 'frequency', face.often, shown.map(({ frequency, label }) => [frequency, label]), shown[0].frequency);
      const frequency = chosen(rhythm);
      let pairs = shown.find((/** @type {Offer} */ one) => one.frequency === frequency).choices;
      // The server prints money as the campaign wants it: one of its labels shows how, and lends its place.
      const like = (face.marks[0]?.label || pairs[0][1]).split(/\d[\d.,]*/);
      const own = this.amounts?.split(',').filter((one) => +one > 0 && +one < 1e7).slice(0, 6);
      if (own?.[0]) pairs = own.map((one) => [+one, like.join((+one).toLocaleString(face.lang + '-u-nu-latn'))]);
      offer(sums, 'amount', face.amount, [...pairs, ['', face.other]], chosen(sums));
      const amount = chosen(sums);
      // In our own iframe face the article is the page around it, as far as that is told.
      const article =
        framed && location.origin === HOME.origin
          ? new URL(location.href).searchParams.get('source') || document.referrer || location.ancestorOrigins?.[0]
          : location.href;
      /** @type {Record<string, string | null | undefined>} */
      const query = { amount, frequency, source: article?.split(/[?#]/)[0], slot: this.slotName };
      // An address that came with the numbers would have to be checked; this one is known.
      const url = new URL('c/' + campaign, HOME);
      for (const name in query) if (query[name]) url.searchParams.set(name, query[name]);
      link.href = url;
      link.textContent = face.donate_label;
      return { url: link.href, amount, frequency };
    }

    /** @param {string} what  @param {object} detail  @returns {boolean} whether nobody prevented it */
    tell(what, detail) {
      return this.dispatchEvent(
        new CustomEvent(`${NAME}:${what}`, { detail, bubbles: true, composed: true, cancelable: true }),
      );
    }
  }

  // Each attribute is a property too.
  for (const name of DonationGoal.observedAttributes) {
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

  // The first on a page serves all: a second copy, or another version, leaves it as it is.
  customElements.get(NAME) || customElements.define(NAME, DonationGoal);
})();
