// Opens connections, asks once on each, prints `open`, and keeps them until its standard input ends. Argument: { port, paths, count } as
// JSON. Prints what went wrong instead when something does.
import { connect, type Socket } from 'node:net'

const { port, paths, count } = JSON.parse(process.argv[2] ?? '{}') as { port: number; paths: string[]; count: number }
/** Opened at once: below every server's backlog. */
const BATCH = 100

const sockets: Socket[] = []
for (let opened = 0; opened < count; opened += BATCH) {
  const size = Math.min(BATCH, count - opened)
  sockets.push(...(await Promise.all(Array.from({ length: size }, (_, index) => open(opened + index)))))
}
console.log('open')
process.stdin.resume().once('end', () => process.exit(0))

function open(number: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${paths[number % paths.length]} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    socket.once('data', (data) => {
      const head = data.toString('latin1', 0, 12)
      if (head === 'HTTP/1.1 200') resolve(socket)
      else fail(`connection ${number} got ${head}`)
    })
    socket.once('error', (error) => fail(`connection ${number}: ${error.message}`))
    socket.once('close', () => fail(`connection ${number} was closed`))
  })
}

function fail(reason: string): void {
  console.log(reason)
  process.exit(1)
}
