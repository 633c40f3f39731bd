// Which process serves this page, which others share its port, and how they are.
const { process, room } = document.body.dataset
export const processNumber = Number(process)
export const roomName = room

const strip = [...document.querySelectorAll('.strip a')]

/** Makes an element with a class, text and children. */
export function element(tag, { className = '', text, children = [] } = {}) {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  if (text !== undefined) made.textContent = text
  made.append(...children)
  return made
}

/** Links to rooms of this process, as `/status` lists them. */
export function roomLinks(list) {
  return list.map(({ name, people, messages }) => {
    const link = element('a', { children: [element('b', { text: name }), ' ', element('span')] })
    link.href = name
    link.lastChild.textContent = `${people} here · ${messages} message${messages === 1 ? '' : 's'}`
    if (name === roomName) link.setAttribute('aria-current', 'true')
    return element('li', { children: [link] })
  })
}

/** Asks all processes how they are, again and again while somebody looks; one connection serves for all. */
export function watchProcesses(everyMs, onStatus) {
  const ask = async (link) => {
    const number = Number(link.dataset.process)
    // A process that is away answers with an error, or not at all; both say the same.
    const answer = await fetch(new URL(`../${number}/status`, location.href)).catch(() => undefined)
    const status = answer?.ok ? await answer.json().catch(() => undefined) : undefined
    showInStrip(link, number, status)
    onStatus(number, status)
  }
  const askAll = async () => {
    if (!document.hidden) await Promise.all(strip.map(ask))
    setTimeout(() => void askAll(), everyMs)
  }
  void askAll()
}

function showInStrip(link, number, status) {
  link.classList.toggle('away', status === undefined)
  link.title = status
    ? `process ${number} · pid ${status.pid} · ${status.connections} here`
    : `process ${number} is away`
  link.querySelector('.busy').textContent = status?.connections || ''
}
