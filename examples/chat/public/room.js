import { roomName, showOwner } from './place.js'

const log = document.querySelector('.log')
const typing = document.querySelector('.typing')
const form = document.querySelector('.compose')
const text = form.querySelector('textarea')
const send = form.querySelector('button')
const members = document.querySelector('#members')
const nameInput = document.querySelector('#name')

const GROUP_MS = 5 * 60_000
const TYPING_MS = 2500
const FIRST_DELAY_MS = 300
const MAX_DELAY_MS = 5000

const animals = ['Otter', 'Heron', 'Lynx', 'Finch', 'Badger', 'Marten', 'Puffin', 'Ibex', 'Wren', 'Hare']
const name =
  localStorage.getItem('name') ??
  `${animals[Math.floor(Math.random() * animals.length)]} ${Math.floor(Math.random() * 90) + 10}`
nameInput.value = name
localStorage.setItem('name', name)

document.title = `${roomName} · room`
document.querySelector('#room').textContent = roomName

let socket
let delay = FIRST_DELAY_MS
let last
let present = []

function connect() {
  const url = new URL(location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  url.search = new URLSearchParams({ name: nameInput.value })
  url.hash = ''
  socket = new WebSocket(url)
  socket.addEventListener('message', ({ data }) => onEvent(JSON.parse(data)))
  socket.addEventListener('close', () => {
    showOwner(undefined)
    update()
    setTimeout(connect, delay)
    delay = Math.min(MAX_DELAY_MS, delay * 2)
  })
}

function onEvent(event) {
  switch (event.type) {
    case 'welcome':
      delay = FIRST_DELAY_MS
      showOwner(event.pid)
      log.replaceChildren()
      last = undefined
      present = []
      for (const message of event.history) show(message)
      if (event.history.length === 0) notice('Nobody has said anything yet.')
      break
    case 'message':
      show(event.message)
      typing.textContent = ''
      break
    case 'renamed':
      notice(`${event.from} is now ${event.to}`)
      present = present.map((who) => (who === event.from ? event.to : who))
      break
    case 'presence':
      showPresence(event.names)
      break
    case 'typing':
      typing.textContent = `${event.name} is writing …`
      clearTimeout(typing.timer)
      typing.timer = setTimeout(() => (typing.textContent = ''), TYPING_MS)
      break
    case 'error':
      notice(event.error, 'problem')
  }
  update()
}

function show(message) {
  const element = document.createElement('div')
  element.className = message.name === nameInput.value ? 'message mine' : 'message'
  const isNext = last !== undefined && last.name === message.name && message.time - last.time < GROUP_MS
  if (!isNext) {
    const who = document.createElement('div')
    who.className = 'who'
    const bold = document.createElement('b')
    const time = document.createElement('time')
    bold.textContent = message.name
    time.dateTime = new Date(message.time).toISOString()
    time.textContent = new Date(message.time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    who.append(bold, time)
    element.append(who)
  }
  const body = document.createElement('p')
  body.textContent = message.text
  element.append(body)
  last = message
  append(element)
}

function notice(words, kind = '') {
  const element = document.createElement('div')
  element.className = `notice ${kind}`
  element.textContent = words
  last = undefined
  append(element)
}

function append(element) {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  log.append(element)
  if (isAtEnd || element.classList.contains('mine')) log.scrollTop = log.scrollHeight
}

function showPresence(names) {
  if (present.length > 0) {
    for (const [who, words] of [
      [without(names, present), 'came in'],
      [without(present, names), 'left'],
    ]) {
      if (who.length > 0) notice(`${who.join(', ')} ${words}`)
    }
  }
  present = names
  members.replaceChildren(
    ...names.map((who) => {
      const entry = document.createElement('li')
      entry.textContent = who
      return entry
    }),
  )
}

function without(names, others) {
  const rest = [...others]
  return names.filter((who) => {
    const index = rest.indexOf(who)
    if (index === -1) return true
    rest.splice(index, 1)
    return false
  })
}

function tell(frame) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
}

function update() {
  send.disabled = text.value.trim() === '' || socket.readyState !== WebSocket.OPEN
}

let typedAt = 0
text.addEventListener('input', () => {
  update()
  if (Date.now() - typedAt < TYPING_MS / 2) return
  typedAt = Date.now()
  tell({ type: 'typing' })
})
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  form.requestSubmit()
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  update()
  if (send.disabled) return
  tell({ type: 'message', text: text.value })
  text.value = ''
  update()
})
nameInput.addEventListener('change', () => {
  if (nameInput.value.trim() === '') nameInput.value = localStorage.getItem('name')
  localStorage.setItem('name', nameInput.value)
  tell({ type: 'name', name: nameInput.value })
})

connect()
