// Passkeys: hands the server's options to the browser, and its answer back by the form.
// https://www.w3.org/TR/webauthn-3/

const form = document.querySelector('[data-passkey]')
const problem = form?.querySelector('[data-problem]')

/** @param {string} text what went wrong, and what to do */
function tell(text) {
  problem.textContent = text
  problem.hidden = false
}

async function ask() {
  const options = JSON.parse(form.dataset.options)
  const credential = form.dataset.passkey === 'create'
    ? await navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    })
    : await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    })
  form.elements.credential.value = JSON.stringify(credential.toJSON())
  form.submit()
}

if (form) {
  if (!globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    tell('This browser is too old for passkeys. Update it, or use another way to sign in.')
  } else {
    ask().catch((error) => {
      console.warn('goalpost: no passkey:', error)
      tell(error.name === 'InvalidStateError'
        ? 'There is a passkey of yours on this device already.'
        : 'That did not work, or it was called off. Try again, or use another way to sign in.')
    })
  }
}
