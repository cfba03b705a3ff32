// @ts-check
/** What a campaign's forms have of script. Without it they work, by their buttons. */

const WAIT_MS = 400

/** @param {() => void} work @param {number} ms */
const later = (work, ms) => {
  let timer = 0
  return () => {
    clearTimeout(timer)
    timer = setTimeout(work, ms)
  }
}

// A new campaign: its name follows its title until somebody writes one; the zone is the browser's.
const fresh = document.querySelector('form[data-new]')
if (fresh) {
  const title = /** @type {HTMLInputElement} */ (fresh.querySelector('#title'))
  const slug = /** @type {HTMLInputElement} */ (fresh.querySelector('#slug'))
  const zone = /** @type {HTMLInputElement} */ (fresh.querySelector('#timezone'))
  let follows = !slug.value
  slug.addEventListener('input', () => { follows = !slug.value })
  title.addEventListener('input', () => {
    if (!follows) return
    const plain = title.value.normalize('NFKD').replace(/[^\x00-\x7f]/g, '').toLowerCase()
    slug.value = plain.replace(/[^a-z0-9]+/g, '-').slice(0, 64).replace(/^-+|-+$/g, '')
  })
  if (!zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || ''
}

// The colour: a picker beside its field, and its contrast in the server's words, who decides.
const contrast = /** @type {HTMLElement | null} */ (document.querySelector('[data-contrast]'))
if (contrast) {
  const field = /** @type {HTMLInputElement} */ (contrast.querySelector('#accent'))
  const told = /** @type {HTMLElement} */ (contrast.querySelector('[data-told]'))
  const picker = document.createElement('input')
  picker.type = 'color'
  picker.setAttribute('aria-label', 'Pick a colour')
  const swatches = ['light', 'dark'].map((paper) => {
    const swatch = document.createElement('span')
    swatch.className = `swatch ${paper}`
    swatch.append(document.createElement('i'))
    return swatch
  })
  const match = () => { picker.value = /^#[0-9a-f]{6}$/i.test(field.value) ? field.value : field.placeholder }
  let asked = 0
  const ask = async () => {
    const turn = ++asked
    const answer = await fetch(`${contrast.dataset.contrast}?accent=${encodeURIComponent(field.value)}`)
    if (!answer.ok || turn !== asked) return
    const found = await answer.json()
    told.textContent = found.told
    told.classList.toggle('wrong', !found.ok)
    if (found.ok) field.removeAttribute('aria-invalid')
    else field.setAttribute('aria-invalid', 'true')
    for (const [index, swatch] of swatches.entries()) {
      swatch.hidden = !found.ok
      if (found.ok) /** @type {HTMLElement} */ (swatch.firstChild).style.background = index ? found.dark : found.light
    }
  }
  const askSoon = later(ask, 150)
  field.addEventListener('input', () => { match(); askSoon() })
  picker.addEventListener('input', () => {
    field.value = picker.value
    field.dispatchEvent(new Event('input', { bubbles: true }))
  })
  field.after(picker, ...swatches)
  match()
  ask()
}

// The preview: the form as it stands, sent into a new frame, which takes the old one's place once it
// is there. A frame that is used again would leave a step in the browser's history each time.
const form = /** @type {HTMLFormElement | null} */ (document.querySelector('form[data-preview]'))
if (form) {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('[data-preview-button]'))
  let frame = /** @type {HTMLIFrameElement} */ (form.querySelector('iframe[name=preview]'))
  let turn = 0
  const show = () => {
    const next = /** @type {HTMLIFrameElement} */ (frame.cloneNode())
    const mine = ++turn
    next.name = `preview-${mine}`
    next.hidden = true
    next.removeAttribute('loading')
    frame.after(next)
    next.addEventListener('load', () => {
      // The empty page that a frame begins with is loaded too.
      if (!next.dataset.sent) return
      if (mine !== turn) return next.remove()
      next.hidden = false
      frame.remove()
      frame = next
    })
    button.formTarget = next.name
    next.dataset.sent = 'yes'
    form.requestSubmit(button)
  }
  const showSoon = later(show, WAIT_MS)
  form.addEventListener('input', showSoon)
  button.addEventListener('click', (event) => {
    if (event.isTrusted) {
      event.preventDefault()
      show()
    }
  })
  show()
}
