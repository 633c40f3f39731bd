import { startComposer } from './composer.js'
import { Connection } from './connection.js'
import * as messages from './messages.js'
import { keepName, ownName } from './names.js'
import * as people from './people.js'
import { processNumber, roomLinks, roomName, watchProcesses } from './place.js'

const banner = document.querySelector('.banner')
const nameField = document.querySelector('#name')
const pid = document.querySelector('header .pid')
const side = document.querySelector('aside')
const toggle = document.querySelector('.toggle')

/** Ids that we have had in this room: one for each connection, and one process may know all of them. */
const ownIds = new Set()
const isOwn = ({ from }) => ownIds.has(from)
let epoch
let lastId = 0
let unread = 0

nameField.value = ownName()

const connection = new Connection(() => {
  const url = new URL(roomName, location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  url.searchParams.set('name', nameField.value)
  return url
})
const composer = startComposer(connection)

const handlers = {
  welcome({ epoch: newEpoch, you, people: all, history, pid: newPid }) {
    const isFirst = epoch === undefined
    const isAnother = epoch !== newEpoch
    epoch = newEpoch
    if (isAnother) {
      lastId = 0
      if (isFirst) recallIds()
      else ownIds.clear()
    }
    ownIds.add(you)
    rememberIds()
    pid.textContent = newPid
    people.showPeople(all, you)
    // The name may have been changed while the connection was being made.
    if (all.find(({ id }) => id === you)?.name !== nameField.value) tellName()
    const missed = history.filter(({ id }) => id > lastId)
    lastId = history.at(-1)?.id ?? lastId
    if (isAnother && !isFirst)
      messages.notice(
        `Process ${processNumber} has started again, as pid ${newPid}. What was said before was in its memory only.`,
      )
    messages.showHistory(missed, isOwn)
    if (isFirst && history.length === 0) messages.notice('Nobody has said anything here yet.')
  },
  message({ message }) {
    lastId = message.id
    const own = isOwn(message)
    if (own) composer.arrived()
    people.stoppedTyping(message.from)
    messages.showMessage(message, own)
    if (document.hidden && !own) showUnread(unread + 1)
  },
  joined: ({ person }) => people.joined(person),
  left: ({ person }) => people.left(person),
  renamed: ({ person, from }) => people.renamed(person, from),
  typing: ({ person }) => people.isTyping(person),
  error({ error, of }) {
    messages.notice(error, 'problem')
    if (of === 'message') composer.refused()
  },
}

connection.addEventListener('frame', ({ detail }) => handlers[detail.type]?.(detail))
connection.addEventListener('state', showState)
banner.querySelector('button').addEventListener('click', () => connection.retry())
setInterval(() => connection.state === 'waiting' && showState(), 500)

function showState() {
  document.body.dataset.state = connection.state
  // A connection that is made at once needs no words.
  const isGone = connection.state === 'waiting' || (connection.state === 'connecting' && !banner.hidden)
  banner.hidden = !isGone
  if (!isGone) return
  const seconds = Math.ceil((connection.until - Date.now()) / 1000)
  const when = connection.state === 'connecting' || seconds < 2 ? 'Connecting again …' : `Next try in ${seconds} s.`
  const words = `Process ${processNumber} is away. ${when}`
  const text = banner.querySelector('span')
  if (text.textContent !== words) text.textContent = words
}

// The ids survive a reload of this tab, so that own messages stay own.

function idsKey() {
  return `ids ${location.pathname} ${epoch}`
}
function recallIds() {
  try {
    for (const id of JSON.parse(sessionStorage.getItem(idsKey()) ?? '[]')) ownIds.add(id)
  } catch {
    // Then they look like somebody else's.
  }
}
function rememberIds() {
  try {
    sessionStorage.setItem(idsKey(), JSON.stringify([...ownIds].slice(-50)))
  } catch {
    // A browser that keeps nothing.
  }
}

nameField.addEventListener('change', () => {
  nameField.value = nameField.value.trim() || ownName()
  keepName(nameField.value)
  tellName()
})
function tellName() {
  connection.send({ type: 'name', name: nameField.value })
}
nameField.form.addEventListener('submit', (event) => {
  event.preventDefault()
  nameField.blur()
})

const title = document.title
function showUnread(number) {
  unread = number
  document.title = unread === 0 ? title : `(${unread}) ${title}`
}
document.addEventListener('visibilitychange', () => document.hidden || showUnread(0))

// On narrow screens people and rooms are behind a button.
function showSide(isOpen) {
  side.classList.toggle('open', isOpen)
  toggle.setAttribute('aria-expanded', String(isOpen))
}
toggle.addEventListener('click', () => showSide(!side.classList.contains('open')))
addEventListener('keydown', ({ key }) => key === 'Escape' && showSide(false))
document.querySelector('.talk').addEventListener('pointerdown', () => showSide(false))

watchProcesses(3000, (number, status) => {
  if (number === processNumber && status) side.querySelector('.rooms').replaceChildren(...roomLinks(status.list))
})
connection.connect()
