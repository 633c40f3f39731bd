import type { IpcNetConnectOpts, Socket } from 'node:net'
import { HttpSysError } from '../../base/errors.ts'
import { FrameReader } from '../protocol/frame-reader.ts'
import type { OnFrame } from '../protocol/frame-reader.ts'
import { FrameWriter } from '../protocol/frame-writer.ts'
import { FRAME_HELLO, HEADER_BYTES } from '../protocol/frames.ts'
import { decodeHello, encodeHello } from '../protocol/hello.ts'

/** A broker answers at once, unless it is stopped or the machine is very busy. */
const HELLO_TIMEOUT_MS = 15_000

/** A connection on which both sides have said HELLO. */
export interface OpenConnection {
  readonly socket: Socket
  readonly writer: FrameWriter
}

/** Makes a socket to the broker. */
export type ConnectSocket = (options: Omit<IpcNetConnectOpts, 'path'>) => Promise<Socket>

/**
 * Says HELLO to the broker on a new socket; `onFrame` gets all frames behind its own.
 *
 * @throws HttpSysError `ETIMEDOUT` when it says nothing, `EPROTO` when it is of another version, `ECONNRESET` when it was just
 * leaving, and what `connectSocket` throws
 */
export async function openConnection(connectSocket: ConnectSocket, onFrame: OnFrame): Promise<OpenConnection> {
  const buffer = Buffer.allocUnsafeSlow(64 * 1024)
  let onHello: ((error?: unknown) => void) | null = null
  const reader = new FrameReader((type, flags, aux, id, bytes, view, start, end) => {
    if (onHello === null) return onFrame(type, flags, aux, id, bytes, view, start, end)
    if (type === FRAME_HELLO) decodeHello(bytes.toString('latin1', start + HEADER_BYTES, end))
    onHello()
  })
  const socket: Socket = await connectSocket({
    onread: {
      buffer,
      callback: (length: number) => {
        try {
          reader.push(buffer, 0, length)
        } catch (error) {
          onHello?.(error)
          socket.destroy(error as Error)
        }
        return true
      },
    },
  })
  const writer = new FrameWriter((chunks, done) => transmit(socket, chunks, done))
  socket.on('error', () => {})
  const timer = setTimeout(() => {
    onHello?.(silent())
    socket.destroy()
  }, HELLO_TIMEOUT_MS)
  try {
    await new Promise<void>((resolve, reject) => {
      onHello = (error) => (error === undefined ? resolve() : reject(error as Error))
      socket.once('close', () => reject(lost()))
      writer.text(FRAME_HELLO, 0, 0, 0, encodeHello(process.pid), 'latin1')
    })
  } finally {
    onHello = null
    clearTimeout(timer)
  }
  return { socket, writer }
}

function transmit(socket: Socket, chunks: Buffer[], done: () => void): void {
  const last = chunks.length - 1
  if (last > 0) socket.cork()
  for (let index = 0; index < last; index++) socket.write(chunks[index]!)
  socket.write(chunks[last]!, done)
  if (last > 0) socket.uncork()
}

function silent(): HttpSysError {
  return new HttpSysError({
    code: 'ETIMEDOUT',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason: `it takes connections but has not answered within ${HELLO_TIMEOUT_MS / 1000} s`,
    remedy: 'Look whether its process is stopped or very busy; when it is killed a new one is started.',
  })
}

/** The broker closed the connection. */
export function lost(): HttpSysError {
  return new HttpSysError({
    code: 'ECONNRESET',
    syscall: 'connect',
    subject: 'httpsys broker',
    reason: 'the broker closed the connection',
    remedy: 'Try again: a new broker is started when none runs.',
  })
}
