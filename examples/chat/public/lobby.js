import { showOwner } from './place.js'

const list = document.querySelector('.rooms')

document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault()
  location.href = encodeURIComponent(new FormData(event.target).get('room'))
})

async function refresh() {
  try {
    const status = await (await fetch('status')).json()
    showOwner(status.pid)
    list.replaceChildren(...status.list.map(item))
    if (status.list.length === 0) list.textContent = 'None yet.'
  } catch {
    showOwner(undefined)
  }
}

function item({ name, members, messages }) {
  const entry = document.createElement('li')
  const link = document.createElement('a')
  const counts = document.createElement('span')
  link.href = encodeURIComponent(name)
  link.textContent = name
  counts.textContent = `${members} here · ${messages} message${messages === 1 ? '' : 's'}`
  link.append(counts)
  entry.append(link)
  return entry
}

await refresh()
setInterval(() => void refresh(), 3000)
