/** One line of a room's history. */
export interface Message {
  readonly id: number
  readonly name: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly time: number
}

/** What a room tells its members. */
export type RoomEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'presence'; readonly names: readonly string[] }
  | { readonly type: 'renamed'; readonly from: string; readonly to: string }
  | { readonly type: 'typing'; readonly name: string }

/** Somebody in a room. */
export interface Member {
  name: string
  send(event: RoomEvent): void
}

const HISTORY_LENGTH = 200
export const MAX_TEXT_LENGTH = 2000
export const MAX_NAME_LENGTH = 40

/** A chat room: its history and whoever is in it, in the memory of one process. That is why requests must reach this process. */
export class Room {
  readonly name: string
  readonly history: Message[] = []
  readonly #members = new Set<Member>()
  #nextId = 1

  constructor(name: string) {
    this.name = name
  }

  get memberCount(): number {
    return this.#members.size
  }

  get names(): string[] {
    return [...this.#members].map((member) => member.name).toSorted((one, other) => one.localeCompare(other))
  }

  join(member: Member): void {
    this.#members.add(member)
    this.#tell({ type: 'presence', names: this.names })
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.#tell({ type: 'presence', names: this.names })
  }

  rename(member: Member, name: string): void {
    const from = member.name
    if (from === name) return
    member.name = name
    this.#tell({ type: 'renamed', from, to: name })
    this.#tell({ type: 'presence', names: this.names })
  }

  post(name: string, text: string): Message {
    const message = { id: this.#nextId++, name, text, time: Date.now() }
    this.history.push(message)
    if (this.history.length > HISTORY_LENGTH) this.history.shift()
    this.#tell({ type: 'message', message })
    return message
  }

  typing(member: Member): void {
    this.#tell({ type: 'typing', name: member.name }, member)
  }

  #tell(event: RoomEvent, except?: Member): void {
    for (const member of this.#members) if (member !== except) member.send(event)
  }
}

/** The rooms of one process. */
export class Rooms {
  readonly #rooms = new Map<string, Room>()

  /** The room of that name, made when it is new; undefined when the name is none. */
  open(name: string): Room | undefined {
    if (!isRoomName(name)) return undefined
    let room = this.#rooms.get(name)
    if (room === undefined) {
      room = new Room(name)
      this.#rooms.set(name, room)
    }
    return room
  }

  list(): Room[] {
    return [...this.#rooms.values()]
  }
}

/** Names that are plain in a URL: letters, digits, dashes and underscores, at most 40. */
export function isRoomName(name: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,39}$/i.test(name) && name !== 'status' && name !== 'assets'
}

/** The text if it may be posted, else what is wrong with it. */
export function checkText(text: unknown): { text: string } | { error: string } {
  if (typeof text !== 'string' || text.trim() === '') return { error: 'text must be a string that is not empty' }
  if (text.length > MAX_TEXT_LENGTH) {
    return { error: `text has ${text.length} characters, more than ${MAX_TEXT_LENGTH}` }
  }
  return { text: text.trim() }
}

/** The name if it may be used, else what is wrong with it. */
export function checkName(name: unknown): { name: string } | { error: string } {
  if (typeof name !== 'string' || name.trim() === '') return { error: 'name must be a string that is not empty' }
  if (name.length > MAX_NAME_LENGTH)
    return { error: `name has ${name.length} characters, more than ${MAX_NAME_LENGTH}` }
  return { name: name.trim() }
}
