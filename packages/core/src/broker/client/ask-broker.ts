import type { OnFrame } from '../protocol/frame-reader.ts'
import { FRAME_LEAVING, HEADER_BYTES } from '../protocol/frames.ts'
import { connectToBroker } from '../rendezvous/generations.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { lost, openConnection } from './open-connection.ts'
import type { ConnectSocket, FrameEvents } from './open-connection.ts'

const NONE = new Error('no broker runs')

/** A frame with a text as its payload. */
export interface TextFrame {
  readonly type: number
  readonly flags?: number
  readonly payload: string
}

/**
 * Asks the broker of this user something, and resolves to its answer; to undefined when none runs.
 *
 * @throws HttpSysError `EPROTO` when it is of another version, `ETIMEDOUT` when it says nothing
 */
export async function askBroker(question: TextFrame): Promise<TextFrame | undefined> {
  const directory = runtimeDirectory()
  let onAnswer: (answer: TextFrame) => void = () => {}
  const connectSocket: ConnectSocket = async (options) => {
    const socket = await connectToBroker(directory, options)
    if (socket === undefined) throw NONE
    return socket
  }
  const onFrame: OnFrame = (type, _flags, _aux, _id, bytes, _view, start, end) => {
    // Said to everybody.
    if (type === FRAME_LEAVING) return
    onAnswer({ type, payload: bytes.toString('utf8', start + HEADER_BYTES, end) })
  }
  const events: FrameEvents = { onFrame, onBatchEnd: () => true }
  const opened = await openConnection(connectSocket, events, 0).catch((error: unknown) => {
    if (error !== NONE) throw error
  })
  if (opened === undefined) return undefined
  const { socket, writer } = opened
  try {
    return await new Promise((resolve, reject) => {
      onAnswer = resolve
      socket.once('close', () => reject(lost()))
      writer.text(question.type, question.flags ?? 0, 0, 0, question.payload, 'utf8')
    })
  } finally {
    socket.destroy()
  }
}
