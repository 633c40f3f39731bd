// Starts two of them; each is a program of its own and could as well be started by hand.
import { fork } from 'node:child_process'

const apps = ['/red/', '/blue/'].map((prefix) => fork(new URL('app.js', import.meta.url), [prefix]))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const app of apps) app.kill('SIGTERM')
  })
}
