// Where this page stands: `/3/lobby` is the room `lobby` of the process that owns `/3/`. Only links to the other processes and
// the colour need to know; everything else on the page is relative.
const segments = location.pathname.split('/').filter((segment) => segment !== '')
export const processNumber = Number(segments.find((segment) => /^\d+$/.test(segment)) ?? 1)
export const processUrl = location.pathname.slice(
  0,
  location.pathname.indexOf(`/${processNumber}/`) + `/${processNumber}/`.length,
)
export const roomName = decodeURIComponent(location.pathname.slice(processUrl.length))

const hueOf = (number) => (number * 137 + 80) % 360
document.documentElement.style.setProperty('--hue', hueOf(processNumber))

const root = processUrl.slice(0, -`${processNumber}/`.length)
const nav = document.querySelector('nav')
for (let number = 1; number <= 8; number++) {
  const link = document.createElement('a')
  link.href = `${root}${number}/${roomName}`
  link.textContent = number
  link.title = `The same room name in process ${number}: another room`
  link.style.setProperty('--own', hueOf(number))
  if (number === processNumber) link.setAttribute('aria-current', 'page')
  nav.append(link)
}

const owner = document.querySelector('.owner')

/** Says who answers, or that nobody does. */
export function showOwner(pid) {
  owner.dataset.state = pid === undefined ? 'offline' : 'online'
  owner.textContent = pid === undefined ? 'connecting …' : `process ${processNumber} · pid ${pid}`
}
