import { avatar, notice } from './messages.js'
import { element } from './place.js'

const list = document.querySelector('.people')
const count = document.querySelector('.toggle .count')
const typing = document.querySelector('.typing')

const TYPING_MS = 3000
/** Who reloads the page is back within this, and has not left. */
const RELOAD_MS = 2500

/** id → person; in the order in which they came */
const people = new Map()
/** name → timer of a notice that waits */
const leaving = new Map()
/** id → timer */
const writers = new Map()
let you = ''

export function showPeople(all, ownId) {
  you = ownId
  people.clear()
  for (const timer of [...leaving.values(), ...writers.values()]) clearTimeout(timer)
  leaving.clear()
  writers.clear()
  for (const person of all) people.set(person.id, person)
  update()
}

export function joined(person) {
  people.set(person.id, person)
  const isBack = leaving.has(person.name)
  clearTimeout(leaving.get(person.name))
  leaving.delete(person.name)
  if (!isBack) notice(`${person.name} joined`)
  update()
}

export function left(person) {
  people.delete(person.id)
  stoppedTyping(person.id)
  const timer = setTimeout(() => {
    leaving.delete(person.name)
    notice(`${person.name} left`)
  }, RELOAD_MS)
  clearTimeout(leaving.get(person.name))
  leaving.set(person.name, timer)
  update()
}

export function renamed(person, from) {
  people.set(person.id, person)
  notice(person.id === you ? `You are now ${person.name}` : `${from} is now ${person.name}`)
  update()
}

export function isTyping(person) {
  clearTimeout(writers.get(person.id))
  writers.set(
    person.id,
    setTimeout(() => stoppedTyping(person.id), TYPING_MS),
  )
  updateTyping()
}

export function stoppedTyping(id) {
  clearTimeout(writers.get(id))
  writers.delete(id)
  updateTyping()
}

function update() {
  count.textContent = people.size
  list.replaceChildren(
    ...Array.from(people.values(), ({ id, name }) => {
      const entry = element('li', { children: [avatar(name), element('span', { text: name })] })
      if (id === you) entry.append(element('small', { text: 'you' }))
      return entry
    }),
  )
}

function updateTyping() {
  const names = [...writers.keys()].map((id) => people.get(id)?.name).filter((name) => name !== undefined)
  const who = names.length > 2 ? `${names.length} people` : names.join(' and ')
  typing.textContent = names.length === 0 ? '' : `${who} ${names.length === 1 ? 'is' : 'are'} typing`
}
