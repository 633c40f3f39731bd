const form = document.querySelector('.compose')
const field = form.querySelector('textarea')
const left = form.querySelector('.left')
const button = form.querySelector('button')

const TYPING_EVERY_MS = 1500
const WARN_BELOW = 200

/** Texts that were sent and have not come back yet. */
const pending = []
let typedAt = 0

/** Where messages are written. Nothing is lost: what was sent and never arrived comes back into the field. */
export function startComposer(connection) {
  const update = () => {
    const rest = field.maxLength - field.value.length
    left.textContent = rest < WARN_BELOW ? `${rest} left` : ''
    button.disabled = field.value.trim() === '' || connection.state !== 'open'
    field.style.height = 'auto'
    field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`
  }
  field.addEventListener('input', () => {
    update()
    if (field.value.trim() === '' || Date.now() - typedAt < TYPING_EVERY_MS) return
    typedAt = Date.now()
    connection.send({ type: 'typing' })
  })
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    form.requestSubmit()
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (field.value.trim() === '' || connection.state !== 'open') return
    pending.push(field.value)
    connection.send({ type: 'message', text: field.value })
    field.value = ''
    typedAt = 0
    update()
    field.focus()
  })
  connection.addEventListener('state', () => {
    if (connection.state === 'waiting') takeBack(pending.splice(0))
    update()
  })
  update()
  return {
    /** A message of our own has come back. */
    arrived: () => void pending.shift(),
    /** The oldest one was refused. */
    refused: () => {
      takeBack(pending.splice(0, 1))
      update()
    },
  }
}

function takeBack(texts) {
  field.value = [...texts, field.value].filter((text) => text !== '').join('\n')
}
