// Starts three counters; each is a program of its own and could as well be started by hand: node counter.js /1/
import { fork } from 'node:child_process'

const counters = ['/1/', '/2/', '/3/'].map((prefix) => fork(new URL('counter.js', import.meta.url), [prefix]))
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const counter of counters) counter.kill('SIGTERM')
  })
}
