import type { Socket } from 'node:net'

const RECORD_HEADER_BYTES = 5
const HANDSHAKE_HEADER_BYTES = 4
const RECORD_HANDSHAKE = 22
const CLIENT_HELLO = 1
const EXTENSION_SERVER_NAME = 0
const NAME_TYPE_HOST = 0
const NOTHING = Buffer.alloc(0)
/** Version and random. */
const FIXED_BYTES = 34
/** No client says so much; OpenSSL takes no more either. */
const MAX_HELLO_BYTES = 16 * 1024 + RECORD_HEADER_BYTES

/**
 * The server name that a client asks for in its first message; '' when it names none or says something else, which TLS will refuse;
 * null while more has to come.
 *
 * @param bytes - what has come from the client so far
 * @see https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2 and https://www.rfc-editor.org/rfc/rfc6066#section-3
 */
export function serverNameIn(bytes: Buffer): string | null {
  const message = handshakeIn(bytes)
  if (message === null) return bytes.length > MAX_HELLO_BYTES ? '' : null
  if (message.length < HANDSHAKE_HEADER_BYTES || message[0] !== CLIENT_HELLO) return ''
  try {
    return nameIn(message.subarray(HANDSHAKE_HEADER_BYTES))
  } catch (error) {
    if (error instanceof RangeError) return ''
    throw error
  }
}

/** The first handshake message, which may have been cut into several records; empty when there is none, null while it is incomplete. */
function handshakeIn(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = []
  let position = 0
  while (position + RECORD_HEADER_BYTES <= bytes.length && bytes[position] === RECORD_HANDSHAKE) {
    const start = position + RECORD_HEADER_BYTES
    position = start + bytes.readUInt16BE(position + 3)
    if (position === start) return NOTHING
    parts.push(bytes.subarray(start, position))
  }
  const message = Buffer.concat(parts)
  if (message.length >= HANDSHAKE_HEADER_BYTES) {
    const end = HANDSHAKE_HEADER_BYTES + message.readUIntBE(1, 3)
    if (message.length >= end) return message.subarray(0, end)
  }
  return position < bytes.length && bytes[position] !== RECORD_HANDSHAKE ? NOTHING : null
}

/** @throws RangeError when a length leads out of the message */
function nameIn(hello: Buffer): string {
  let position = FIXED_BYTES
  position += 1 + hello.readUInt8(position) // session id
  position += 2 + hello.readUInt16BE(position) // cipher suites
  position += 1 + hello.readUInt8(position) // compression methods
  if (position === hello.length) return ''
  const end = position + 2 + hello.readUInt16BE(position)
  position += 2
  while (position < end) {
    const type = hello.readUInt16BE(position)
    const start = position + 4
    position = start + hello.readUInt16BE(position + 2)
    if (type !== EXTENSION_SERVER_NAME) continue
    if (hello.readUInt8(start + 2) !== NAME_TYPE_HOST) return ''
    return hello.toString('latin1', start + 5, start + 5 + hello.readUInt16BE(start + 3))
  }
  return ''
}

/**
 * Reads what a client says first, and puts it back for TLS to read.
 *
 * @param onName - called once, with the name or ''; with null when the client has gone, or has not said enough in time
 */
export function peekServerName(socket: Socket, milliseconds: number, onName: (name: string | null) => void): void {
  let bytes = Buffer.alloc(0)
  const timer = setTimeout(() => finish(null), milliseconds)
  const onGone = (): void => finish(null)
  const onReadable = (): void => {
    for (;;) {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      const name = serverNameIn(bytes)
      if (name !== null) return finish(name)
    }
  }
  function finish(name: string | null): void {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onGone).off('close', onGone)
    if (name !== null) {
      socket.off('error', ignore)
      socket.unshift(bytes)
    }
    onName(name)
  }
  socket.on('error', ignore).on('readable', onReadable).on('end', onGone).on('close', onGone)
}

/** `'close'` follows. */
function ignore(): void {}
