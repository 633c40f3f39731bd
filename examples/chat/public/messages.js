import { element } from './place.js'

const log = document.querySelector('.log')
const latest = document.querySelector('.latest')

const GROUP_MS = 5 * 60_000
const NEAR_END_PX = 80
const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g

/** What was shown last: messages of one person that follow each other are grouped. */
let last

latest.addEventListener('click', toEnd)
log.addEventListener('scroll', () => {
  if (isAtEnd()) latest.hidden = true
})
// The keyboard of a phone, or the composer growing, must not hide what came last.
new ResizeObserver(() => latest.hidden && toEnd()).observe(log)

export function clear() {
  log.replaceChildren()
  last = undefined
}

/** Shows messages that were there before; nobody wants them read aloud. */
export function showHistory(messages, isOwn) {
  log.setAttribute('aria-busy', 'true')
  for (const message of messages) log.append(...render(message, isOwn(message)))
  log.removeAttribute('aria-busy')
  toEnd()
}

export function showMessage(message, isOwn) {
  append(render(message, isOwn), isOwn)
}

/** A line that nobody wrote: who came, who left, what went wrong. */
export function notice(words, kind = '') {
  last = undefined
  append([element('p', { className: `notice ${kind}`, text: words })], kind === 'problem')
}

function append(elements, isForced) {
  const follow = isForced || isAtEnd()
  log.append(...elements)
  if (follow) toEnd()
  else latest.hidden = false
}

function render(message, isOwn) {
  const when = new Date(message.time)
  const isNewDay = last === undefined ? !isToday(when) : new Date(last.time).toDateString() !== when.toDateString()
  const day = when.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' })
  const elements = isNewDay ? [element('p', { className: 'notice day', text: day })] : []
  const isNext =
    !isNewDay && last !== undefined && authorOf(last) === authorOf(message) && message.time - last.time < GROUP_MS
  const body = element('p', { className: 'text', children: withLinks(message.text) })
  const time = timeOf(when)
  if (isNext) {
    time.classList.add('aside')
    elements.push(element('article', { className: isOwn ? 'own next' : 'next', children: [body, time] }))
  } else {
    const name = element('b', { text: message.name })
    const head = element('div', { className: 'head', children: [name, time] })
    elements.push(element('article', { className: isOwn ? 'own' : '', children: [avatar(message.name), head, body] }))
  }
  last = message
  return elements
}

/** A disc with initials, in a colour that depends on the name alone. */
export function avatar(name) {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? ['?']
  const initials = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...word][0] ?? '').join('')
  const disc = element('span', { className: 'avatar', text: initials.toUpperCase() })
  let hash = 0
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 3600
  disc.style.setProperty('--hue', String(hash / 10))
  disc.setAttribute('aria-hidden', 'true')
  return disc
}

function withLinks(text) {
  const parts = []
  let end = 0
  for (const match of text.matchAll(LINK)) {
    const link = element('a', { text: match[0] })
    link.href = match[0]
    link.target = '_blank'
    link.rel = 'noopener noreferrer'
    parts.push(text.slice(end, match.index), link)
    end = match.index + match[0].length
  }
  return [...parts, text.slice(end)]
}

function timeOf(when) {
  const time = element('time', { text: when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) })
  time.dateTime = when.toISOString()
  time.title = when.toLocaleString()
  return time
}

function authorOf({ from, name }) {
  return `${from} ${name}`
}

function isToday(when) {
  return when.toDateString() === new Date().toDateString()
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX
}

function toEnd() {
  log.scrollTop = log.scrollHeight
  latest.hidden = true
}
