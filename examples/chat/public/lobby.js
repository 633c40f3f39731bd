import { processNumber, roomLinks, watchProcesses } from './place.js'

const rooms = document.querySelector('.rooms')

watchProcesses(2000, (number, status) => {
  const card = document.querySelector(`.processes [data-process='${number}']`)
  card.classList.toggle('away', status === undefined)
  const show = (name, value) => (card.querySelector(`.${name}`).textContent = value ?? '–')
  show('pid', status?.pid)
  show('number-of-rooms', status?.rooms)
  show('connections', status?.connections)
  show('requests', status?.requests)
  if (number !== processNumber || status === undefined) return
  document.querySelector('header .pid').textContent = status.pid
  // Left alone while it is the same, so that a link keeps its focus.
  const next = roomLinks(status.list)
  if (
    next.map((one) => one.textContent).join() ===
    [...rooms.children].map((one) => one.textContent.trim().replace(/\s+/g, ' ')).join()
  )
    return
  rooms.replaceChildren(...next)
})
