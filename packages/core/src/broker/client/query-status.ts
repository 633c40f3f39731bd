import { FRAME_STATUS, FRAME_STATUS_REPLY, HEADER_BYTES } from '../protocol/frames.ts'
import type { BrokerStatus } from '../protocol/status.ts'
import { connectToBroker } from '../rendezvous/generations.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { lost, openConnection } from './open-connection.ts'
import type { ConnectSocket } from './open-connection.ts'

const NONE = new Error('no broker runs')

/**
 * Asks the broker of this user what is going on; undefined when none runs.
 *
 * @throws HttpSysError `EPROTO` when it is of another version, `ETIMEDOUT` when it says nothing
 */
export async function queryStatus(): Promise<BrokerStatus | undefined> {
  const directory = runtimeDirectory()
  let onReply: (status: BrokerStatus) => void = () => {}
  const connectSocket: ConnectSocket = async (options) => {
    const socket = await connectToBroker(directory, options)
    if (socket === undefined) throw NONE
    return socket
  }
  const opened = await openConnection(connectSocket, (type, _flags, _aux, _id, bytes, _view, start, end) => {
    if (type !== FRAME_STATUS_REPLY) return
    onReply(JSON.parse(bytes.toString('utf8', start + HEADER_BYTES, end)) as BrokerStatus)
  }).catch((error: unknown) => {
    if (error !== NONE) throw error
  })
  if (opened === undefined) return undefined
  const { socket, writer } = opened
  try {
    return await new Promise((resolve, reject) => {
      onReply = resolve
      socket.once('close', () => reject(lost()))
      writer.signal(FRAME_STATUS, 0, 0, 0)
    })
  } finally {
    socket.destroy()
  }
}
