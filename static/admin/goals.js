// @ts-check
/**
 * [data-goals]: a bar over the fields of goals, with a handle for each that is dragged, or moved by
 * the arrow keys. The fields stay what is sent: a handle writes into its field, and a field moves
 * its handle. Amounts are whole numbers of the currency's minor units here, and typed as the
 * campaign's language writes them.
 */

const KEYS = new Map([
  ['ArrowRight', 1], ['ArrowUp', 1], ['ArrowLeft', -1], ['ArrowDown', -1], ['PageUp', 10], ['PageDown', -10],
])
const MOST_MINOR = 999_999_999_999

class Goals {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box
    this.unit = 10 ** Number(box.dataset.digits)
    this.decimal = box.dataset.decimal || '.'
    this.group = box.dataset.group || ','
    this.raised = Number(box.dataset.raised)
    this.list = /** @type {HTMLElement} */ (box.querySelector('.goal-fields'))
    this.bar = document.createElement('div')
    this.bar.className = 'goal-bar'
    this.fill = this.bar.appendChild(document.createElement('div'))
    this.fill.className = 'goal-fill'
    box.insertBefore(this.bar, this.list)
    this.addButton = document.createElement('button')
    this.addButton.type = 'button'
    this.addButton.className = 'quiet-button'
    this.addButton.textContent = 'Add a goal'
    this.addButton.onclick = () => this.add()
    this.list.after(this.addButton)
    /** @type {Map<HTMLInputElement, HTMLElement>} */
    this.handles = new Map()
    for (const field of this.fields()) this.watch(field)
    for (const field of this.fields()) if (!field.value.trim()) this.remove(field)
    this.rescale()
  }

  /** @returns {HTMLInputElement[]} */
  fields() {
    return [...this.list.querySelectorAll('input')]
  }

  /** @param {string} text @returns {number} minor units; NaN where it is no amount */
  read(text) {
    const [whole, fraction = '', ...more] = text.trim().split(this.decimal)
    // As the server has it: marks between thousands, and nowhere else.
    const parts = whole.replace(/\s/g, ' ').split(this.group.replace(/\s/, ' '))
    const grouped = parts.length === 1 || parts.every((part, at) => (at ? /^\d{3}$/ : /^\d{1,3}$/).test(part))
    const plain = parts.join('')
    if (more.length || !grouped || !/^\d+$/.test(plain) || !/^\d*$/.test(fraction)) return NaN
    const minor = Math.round(Number(`${plain}.${fraction}`) * this.unit)
    return minor > 0 && minor <= MOST_MINOR ? minor : NaN
  }

  /** @param {number} minor @returns {string} */
  write(minor) {
    const whole = Math.floor(minor / this.unit)
    const rest = minor % this.unit
    if (!rest) return String(whole)
    return `${whole}${this.decimal}${String(rest).padStart(String(this.unit).length - 1, '0')}`
  }

  /** Fit the bar to the highest goal, and set the steps by it: 1, 2 or 5, and zeros. */
  rescale() {
    const amounts = this.fields().map((field) => this.read(field.value)).filter((minor) => minor > 0)
    this.whole = Math.max(...amounts, this.raised, 100 * this.unit) * 1.25
    const rough = this.whole / 100
    const power = 10 ** Math.floor(Math.log10(rough))
    const step = [1, 2, 5, 10].find((one) => one * power >= rough) || 10
    this.step = Math.max(step * power, this.unit)
    this.draw()
  }

  draw() {
    this.fill.style.inlineSize = `${Math.min(100, (this.raised / this.whole) * 100)}%`
    for (const [field, handle] of this.handles) {
      const minor = this.read(field.value)
      handle.hidden = Number.isNaN(minor)
      if (handle.hidden) continue
      handle.style.insetInlineStart = `${Math.min(100, (minor / this.whole) * 100)}%`
      handle.setAttribute('aria-valuenow', String(minor / this.unit))
      handle.setAttribute('aria-valuemax', String(Math.max(this.whole, minor) / this.unit))
      handle.setAttribute('aria-valuetext', `${field.value.trim()} ${this.box.dataset.currency}`)
      handle.dataset.label = field.value.trim()
    }
    this.bar.hidden = [...this.handles.values()].every((handle) => handle.hidden)
    this.addButton.hidden = this.fields().length >= Number(this.box.dataset.most)
  }

  /** @param {HTMLInputElement} field @param {number} minor */
  set(field, minor) {
    field.value = this.write(Math.min(Math.max(minor, this.step), MOST_MINOR))
    this.draw()
    field.dispatchEvent(new Event('input', { bubbles: true }))
  }

  /** @param {HTMLInputElement} field */
  watch(field) {
    const handle = this.bar.appendChild(document.createElement('div'))
    handle.className = 'goal-handle'
    handle.tabIndex = 0
    handle.setAttribute('role', 'slider')
    handle.setAttribute('aria-label', field.getAttribute('aria-label') || 'Goal')
    handle.setAttribute('aria-valuemin', '0')
    this.handles.set(field, handle)
    handle.addEventListener('pointerdown', (event) => this.drag(event, field, handle))
    handle.addEventListener('keydown', (event) => this.press(event, field))
    field.addEventListener('input', () => this.draw())
    field.addEventListener('change', () => this.rescale())
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'plain'
    button.textContent = 'Remove'
    button.setAttribute('aria-label', `Remove ${field.getAttribute('aria-label')}`)
    button.onclick = () => {
      this.remove(field)
      this.rescale()
      this.addButton.focus()
      this.list.dispatchEvent(new Event('input', { bubbles: true }))
    }
    field.after(button)
  }

  /** @param {PointerEvent} event @param {HTMLInputElement} field @param {HTMLElement} handle */
  drag(event, field, handle) {
    event.preventDefault()
    handle.focus()
    handle.setPointerCapture(event.pointerId)
    const move = (/** @type {PointerEvent} */ moved) => {
      const { left, right, width } = this.bar.getBoundingClientRect()
      const rtl = getComputedStyle(this.bar).direction === 'rtl'
      const share = Math.min(1, Math.max(0, (rtl ? right - moved.clientX : moved.clientX - left) / width))
      this.set(field, Math.round((share * this.whole) / this.step) * this.step)
    }
    const end = () => {
      handle.removeEventListener('pointermove', move)
      this.sort()
      this.rescale()
      handle.focus()
    }
    handle.addEventListener('pointermove', move)
    handle.addEventListener('lostpointercapture', end, { once: true })
  }

  /** @param {KeyboardEvent} event @param {HTMLInputElement} field */
  press(event, field) {
    const steps = KEYS.get(event.key)
    const minor = this.read(field.value)
    if (steps) {
      const rtl = getComputedStyle(this.bar).direction === 'rtl' && event.key.startsWith('Arrow')
      const sideways = event.key === 'ArrowLeft' || event.key === 'ArrowRight'
      // Onto the grid first: from 2,510 in steps of 100 to 2,600, and not to 2,610.
      const turn = rtl && sideways ? -steps : steps
      const grid = turn > 0 ? Math.floor(minor / this.step) : Math.ceil(minor / this.step)
      this.set(field, (grid + turn) * this.step)
      if (this.read(field.value) > this.whole) this.rescale()
    } else if (event.key === 'Home') this.set(field, this.step)
    else if (event.key === 'End') this.set(field, Math.floor(this.whole / this.step) * this.step)
    else if (event.key === 'Delete') {
      this.remove(field)
      this.rescale()
      this.addButton.focus()
      this.list.dispatchEvent(new Event('input', { bubbles: true }))
    } else return
    event.preventDefault()
  }

  /** Put the fields in the order of their amounts; what can't be read stays at the end. */
  sort() {
    const order = this.fields().sort(
      (one, other) => (this.read(one.value) || Infinity) - (this.read(other.value) || Infinity),
    )
    for (const field of order) this.list.append(/** @type {HTMLElement} */ (field.closest('li')))
    this.number()
  }

  number() {
    for (const [index, field] of this.fields().entries()) {
      const label = `Goal ${index + 1}`
      field.setAttribute('aria-label', label)
      this.handles.get(field)?.setAttribute('aria-label', label)
      field.nextElementSibling?.setAttribute('aria-label', `Remove ${label}`)
    }
  }

  /** Add a goal; where there is none, begin with those that the period would have anyway. */
  add() {
    const start = (this.box.dataset.start || '').split('|').filter(Boolean)
    const begin = this.fields().length || !start.length ? [''] : start
    const added = begin.map((text) => this.append(text))
    this.rescale()
    added[0].focus()
    added[0].select()
    added[0].dispatchEvent(new Event('input', { bubbles: true }))
  }

  /** @param {string} text @returns {HTMLInputElement} */
  append(text) {
    const item = this.list.appendChild(document.createElement('li'))
    const field = item.appendChild(document.createElement('input'))
    Object.assign(field, { type: 'text', name: 'tier', inputMode: 'decimal', maxLength: 40 })
    field.setAttribute('aria-label', `Goal ${this.fields().length}`)
    const highest = Math.max(0, ...this.fields().map((one) => this.read(one.value) || 0))
    field.value = text || this.write(highest ? highest * 2 : 100 * this.unit)
    this.watch(field)
    return field
  }

  /** @param {HTMLInputElement} field */
  remove(field) {
    this.handles.get(field)?.remove()
    this.handles.delete(field)
    field.closest('li')?.remove()
    this.number()
  }
}

for (const box of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-goals]'))) new Goals(box)
