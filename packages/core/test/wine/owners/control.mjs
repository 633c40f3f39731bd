// The line of JSON messages between an owner under Wine and the test on Linux: a TCP connection, since pipes don't cross over.
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const socket = connect(Number(process.env.HTTPSYS_WINE_CONTROL), '127.0.0.1')
socket.write(`${process.env.HTTPSYS_WINE_OWNER}\n`)
// A test that is gone needs no owner.
socket.on('close', () => process.exit(99))
socket.on('error', () => process.exit(98))

/** Tells the test something; `sent` is called when it is out. */
export function tell(kind, data = {}, sent) {
  socket.write(`${JSON.stringify({ kind, ...data })}\n`, sent)
}

/** Calls a function of `commands` for each command of the test. */
export function obey(commands) {
  createInterface({ input: socket }).on('line', (line) => {
    const { command, ...data } = JSON.parse(line)
    commands[command](data)
  })
}

/** The process may end although the test still listens. */
export function unrefControl() {
  socket.unref()
}
