/**
 * A model of how two processes share a ring, small enough that every order in which their steps can happen is tried.
 *
 * Each step is one access to memory that both see, or one system call, named after the line of ring-reader.ts or ring-writer.ts
 * that does it. Between any two steps the other process may do any number of its own. A state in which neither can go on, and not
 * everything has been read, is a lost wake-up.
 */

/** Ways to build it wrong, each of which must be found. */
export type Flaw =
  | 'none'
  /** The reader waits without having looked again. */
  | 'reader sleeps without a second look'
  /** The reader looks first and says that it sleeps afterwards. */
  | 'reader looks before it says so'
  /** The writer looks whether the reader sleeps before it publishes. */
  | 'writer asks before it publishes'
  /** The writer waits for room without having looked again. */
  | 'writer waits without a second look'
  /** The reader looks whether the writer waits before it gives the room back. */
  | 'reader asks before it makes room'

type ReaderStep = 'look' | 'say' | 'look again' | 'wait' | 'make room' | 'ask writer' | 'take back'
type WriterStep =
  | 'look for room'
  | 'publish full'
  | 'say'
  | 'look again'
  | 'take back'
  | 'wait'
  | 'write'
  | 'publish'
  | 'ask reader'
  | 'done'

interface State {
  // Shared memory, and the two local sockets.
  readonly tail: number
  readonly head: number
  readonly isReaderAsleep: boolean
  readonly isWriterWaiting: boolean
  readonly readerBell: boolean
  readonly writerBell: boolean
  // What each process knows by itself.
  readonly reader: ReaderStep
  readonly read: number
  readonly writer: WriterStep
  readonly written: number
  readonly knownHead: number
  /** Of a flawed process: what it saw too early. */
  readonly sawAsleep: boolean
  readonly sawWaiting: boolean
}

/** What the exploration found. */
export interface Exploration {
  readonly states: number
  /** The steps to a state in which both wait for each other; null when there is none. */
  readonly lost: string[] | null
}

/** Tries every order of steps by which `messages` pieces go through a ring that holds `room` of them. */
export function explore(flaw: Flaw, messages: number, room: number): Exploration {
  const start: State = {
    tail: 0,
    head: 0,
    isReaderAsleep: false,
    isWriterWaiting: false,
    readerBell: false,
    writerBell: false,
    reader: 'look',
    read: 0,
    writer: 'look for room',
    written: 0,
    knownHead: 0,
    sawAsleep: false,
    sawWaiting: false,
  }
  const cameFrom = new Map<string, [string, string] | null>([[JSON.stringify(start), null]])
  const open: State[] = [start]
  while (open.length > 0) {
    const state = open.pop()!
    const key = JSON.stringify(state)
    const next = [
      ['reader', stepReader(state, flaw)],
      ['writer', stepWriter(state, flaw, messages, room)],
    ] as const
    if (next.every(([, after]) => after === null)) {
      if (state.read < messages) return { states: cameFrom.size, lost: pathTo(key, cameFrom) }
      continue
    }
    for (const [who, after] of next) {
      if (after === null) continue
      const afterKey = JSON.stringify(after)
      if (cameFrom.has(afterKey)) continue
      cameFrom.set(afterKey, [key, `${who}: ${who === 'reader' ? state.reader : state.writer}`])
      open.push(after)
    }
  }
  return { states: cameFrom.size, lost: null }
}

/** The reader's next step; null while it waits for the doorbell. */
function stepReader(state: State, flaw: Flaw): State | null {
  const isEmpty = state.tail === state.read
  switch (state.reader) {
    case 'look':
      if (!isEmpty) return { ...state, read: state.tail, reader: 'make room', sawWaiting: state.isWriterWaiting }
      return { ...state, reader: 'say' }
    case 'make room':
      return { ...state, head: state.read, reader: 'ask writer' }
    case 'ask writer': {
      const isWaiting = flaw === 'reader asks before it makes room' ? state.sawWaiting : state.isWriterWaiting
      if (!isWaiting) return { ...state, reader: 'look' }
      return { ...state, isWriterWaiting: false, writerBell: true, reader: 'look' }
    }
    case 'say':
      if (flaw === 'reader looks before it says so') return { ...state, isReaderAsleep: true, reader: 'wait' }
      if (flaw === 'reader sleeps without a second look') return { ...state, isReaderAsleep: true, reader: 'wait' }
      return { ...state, isReaderAsleep: true, reader: 'look again' }
    case 'look again':
      return { ...state, reader: isEmpty ? 'wait' : 'take back' }
    case 'take back':
      return { ...state, isReaderAsleep: false, reader: 'look' }
    case 'wait':
      if (!state.readerBell) return null
      return { ...state, readerBell: false, reader: 'look' }
  }
}

/** The writer's next step; null while it waits for the doorbell, and when it has written everything. */
function stepWriter(state: State, flaw: Flaw, messages: number, room: number): State | null {
  const hasRoom = state.written - state.knownHead < room
  switch (state.writer) {
    case 'look for room':
      if (state.written === messages) return { ...state, writer: 'done' }
      if (hasRoom || state.written - state.head < room) return { ...state, knownHead: state.head, writer: 'write' }
      return { ...state, knownHead: state.head, writer: 'publish full' }
    case 'publish full':
      return { ...state, tail: state.written, writer: 'say' }
    case 'say':
      if (flaw === 'writer waits without a second look')
        return { ...state, isWriterWaiting: true, writer: 'ask reader' }
      return { ...state, isWriterWaiting: true, writer: 'look again' }
    case 'look again':
      if (state.written - state.head < room) return { ...state, knownHead: state.head, writer: 'take back' }
      return { ...state, writer: 'ask reader' }
    case 'take back':
      return { ...state, isWriterWaiting: false, writer: 'write' }
    case 'write':
      // Into memory that nobody looks at before it is published; more may follow before that.
      return {
        ...state,
        written: state.written + 1,
        writer: 'publish',
        sawAsleep: state.isReaderAsleep,
      }
    case 'publish':
      return { ...state, tail: state.written, writer: 'ask reader' }
    case 'ask reader': {
      const isAsleep = flaw === 'writer asks before it publishes' ? state.sawAsleep : state.isReaderAsleep
      const isFull = state.written - state.knownHead === room && state.isWriterWaiting
      const writer = isFull ? 'wait' : 'look for room'
      if (!isAsleep) return { ...state, writer }
      return { ...state, isReaderAsleep: false, readerBell: true, writer }
    }
    case 'wait':
      return state.writerBell ? { ...state, writerBell: false, writer: 'look for room' } : null
    case 'done':
      return null
  }
}

function pathTo(key: string, cameFrom: ReadonlyMap<string, [string, string] | null>): string[] {
  const path: string[] = []
  for (let step = cameFrom.get(key); step; step = cameFrom.get(step[0])) path.unshift(step[1])
  return path
}
