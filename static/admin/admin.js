// What every page of the admin has of script. All of it works without; this makes it quicker.
const token = document.querySelector('input[name="csrf_token"]')?.value

// htmx sends no form of ours along with a button that stands alone: it gets the token as a header.
document.addEventListener('htmx:config:request', (event) => {
  if (token) event.detail.ctx.request.headers['X-CSRFToken'] = token
})

// [data-while-seen]: what asks for itself again and again does so only while somebody can see it.
document.addEventListener('htmx:config:request', (event) => {
  const source = event.detail.ctx.sourceElement
  if (document.hidden && source?.matches('[data-while-seen]')) event.preventDefault()
})

// [data-copy="#id"]: copies what stands there, and says so.
document.addEventListener('click', async (event) => {
  const button = event.target instanceof Element && event.target.closest('[data-copy]')
  if (!button) return
  const source = document.querySelector(button.dataset.copy)
  const text = 'value' in source ? source.value : source.textContent
  const before = button.textContent
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  } catch {
    getSelection().selectAllChildren(source)
    button.textContent = 'Press Ctrl-C'
  }
  setTimeout(() => { button.textContent = before }, 2000)
})

for (const button of document.querySelectorAll('[data-copy][hidden]')) button.hidden = false

// On a phone not all places fit in a line: the one where we are is in sight.
for (const bar of document.querySelectorAll('.places, .tabs')) {
  const here = bar.querySelector('[aria-current]')
  if (here) bar.scrollLeft += here.getBoundingClientRect().left - bar.getBoundingClientRect().left - bar.clientWidth / 3
}
