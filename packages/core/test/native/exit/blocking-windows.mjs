import { tmpdir } from 'node:os'
import { join } from 'node:path'
import koffi from 'koffi'
import { NamedPipes } from '../../../dist/native/named-pipes.js'

const IO_PENDING = 997
const NOT_FOUND = 1168
const OPERATION_ABORTED = 995
const STATUS_CANCELLED = 0xc000_0120
const WAKE_BYTES = 256
const libc = koffi.load(null)
const read = libc.func('intptr_t read(int fd, void *bytes, size_t count)')
const write = libc.func('intptr_t write(int fd, void *bytes, size_t count)')

/**
 * A Windows on which nothing is ever received, whose completion port is a pipe: whoever waits at it blocks a thread of libuv's pool, as
 * GetQueuedCompletionStatusEx does, until a completion is written. Node waits for its threads when it ends.
 */
export function blockingWindows() {
  const ends = new Int32Array(2)
  // Not a Buffer: the thread writes to it while nothing of JavaScript's refers to it.
  const wakes = koffi.alloc('uint8_t', WAKE_BYTES)
  libc.func('int pipe(void *ends)')(ends)
  const packets = []
  const post = (overlapped, status) => {
    packets.push({ overlapped, status })
    write(ends[1], Buffer.alloc(1), 1)
  }
  let lastHandle = 8
  const bytesOf = (address, length) => Buffer.from(koffi.view(BigInt(address), length))
  const give = (address) => {
    bytesOf(address, 8).writeBigUInt64LE(BigInt((lastHandle += 4)))
    return 0
  }
  const take = (entries, pRemoved) => {
    const taken = packets.splice(0)
    for (const [index, { overlapped, status }] of taken.entries()) {
      const entry = bytesOf(entries + index * 32, 32)
      entry.fill(0).writeBigUInt64LE(BigInt(overlapped), 8)
      entry.writeUInt32LE(status, 16)
    }
    bytesOf(pRemoved, 4).writeUInt32LE(taken.length)
    return taken.length > 0 ? 1 : 0
  }
  const pending = new Set()
  const begin = (overlapped) => {
    pending.add(overlapped)
    return IO_PENDING
  }
  const done = () => 0
  return {
    memory: {
      alloc: (bytes) => Number(koffi.address(koffi.alloc('uint8_t', bytes))),
      free: (address) => koffi.free(BigInt(address)),
      view: (address, bytes) => koffi.view(BigInt(address), bytes),
    },
    pipes: new NamedPipes((name) => join(tmpdir(), `httpsys-${process.pid}-${name.slice(-20)}`)),
    http: {
      HttpInitialize: done,
      HttpTerminate: done,
      HttpCreateServerSession: (_version, pId) => give(pId),
      HttpCloseServerSession: done,
      HttpCreateUrlGroup: (_session, pId) => give(pId),
      HttpCloseUrlGroup: done,
      HttpSetUrlGroupProperty: done,
      HttpAddUrlToUrlGroup: done,
      HttpRemoveUrlFromUrlGroup: done,
      HttpCreateRequestQueue: (_version, _name, _security, _flags, pHandle) => give(pHandle),
      HttpCloseRequestQueue: done,
      HttpSetRequestQueueProperty: done,
      HttpReceiveHttpRequest: (_queue, _id, _flags, _buffer, _length, _pBytes, overlapped) => begin(overlapped),
    },
    kernel: {
      CreateIoCompletionPort: () => 4,
      GetQueuedCompletionStatusEx: (_port, entries, _count, pRemoved) => take(entries, pRemoved),
      waitForCompletions(_port, entries, _count, pRemoved, onCompletions) {
        read.async(ends[0], wakes, WAKE_BYTES, () => onCompletions(take(entries, pRemoved)))
      },
      PostQueuedCompletionStatus(_port, _bytes, _key, overlapped) {
        post(overlapped, 0)
        return 1
      },
      SetFileCompletionNotificationModes: () => 1,
      CancelIoEx(_file, overlapped) {
        if (!pending.delete(overlapped)) return 0
        post(overlapped, STATUS_CANCELLED)
        return 1
      },
      CloseHandle: () => 1,
      GetLastError: () => NOT_FOUND,
      RtlNtStatusToDosError: (status) => (status === STATUS_CANCELLED ? OPERATION_ABORTED : NOT_FOUND),
      QueryPerformanceCounter: () => 1,
      QueryPerformanceFrequency: () => 1,
    },
  }
}
