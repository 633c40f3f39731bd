/** Somebody in a room; the id tells two people of one name apart. */
export interface Person {
  readonly id: string
  readonly name: string
}

/** One line of a room's history. */
export interface Message {
  /** Counts up from 1 in each room. */
  readonly id: number
  /** Id of the person who wrote it; null when it was posted over HTTP. */
  readonly from: string | null
  readonly name: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly time: number
}

/** What a room tells its members. */
export type RoomEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'joined' | 'left' | 'typing'; readonly person: Person }
  | { readonly type: 'renamed'; readonly person: Person; readonly from: string }

/** Somebody in a room, with the way to reach them. */
export interface Member {
  readonly id: string
  name: string
  readonly send: (event: RoomEvent) => void
}

const HISTORY_LENGTH = 200
/** Rooms are made by whoever asks for one, so their number needs an end. */
const MAX_ROOMS = 1000

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

  /** In the order in which they came. */
  get people(): Person[] {
    return Array.from(this.#members, personOf)
  }

  join(member: Member): void {
    this.#members.add(member)
    this.#tell({ type: 'joined', person: personOf(member) }, member)
  }

  leave(member: Member): void {
    if (this.#members.delete(member)) this.#tell({ type: 'left', person: personOf(member) })
  }

  rename(member: Member, name: string): void {
    const from = member.name
    if (from === name) return
    member.name = name
    this.#tell({ type: 'renamed', person: personOf(member), from })
  }

  /** Adds a message to the history and tells everybody, its author included. */
  post(from: string | null, name: string, text: string): Message {
    const message = { id: this.#nextId++, from, name, text, time: Date.now() }
    this.history.push(message)
    if (this.history.length > HISTORY_LENGTH) this.history.shift()
    this.#tell({ type: 'message', message })
    return message
  }

  typing(member: Member): void {
    this.#tell({ type: 'typing', person: personOf(member) }, member)
  }

  #tell(event: RoomEvent, except?: Member): void {
    for (const member of this.#members) if (member !== except) member.send(event)
  }
}

/** The rooms of one process. */
export class Rooms {
  /** The one that was opened longest ago comes first. */
  readonly #rooms = new Map<string, Room>()

  find(name: string): Room | undefined {
    return this.#rooms.get(name)
  }

  /** The room of that name, made when it is new; undefined when there are too many rooms with people in them. */
  open(name: string): Room | undefined {
    const room = this.#rooms.get(name) ?? (this.#hasPlace() ? new Room(name) : undefined)
    if (room === undefined) return undefined
    this.#rooms.delete(name)
    this.#rooms.set(name, room)
    return room
  }

  /** Forgets a room in which there is nobody and nothing. */
  release(room: Room): void {
    if (room.memberCount === 0 && room.history.length === 0) this.#rooms.delete(room.name)
  }

  list(): Room[] {
    return [...this.#rooms.values()].toSorted((one, other) => one.name.localeCompare(other.name))
  }

  get count(): number {
    return this.#rooms.size
  }

  #hasPlace(): boolean {
    if (this.#rooms.size < MAX_ROOMS) return true
    for (const room of this.#rooms.values()) if (room.memberCount === 0) return this.#rooms.delete(room.name)
    return false
  }
}

function personOf({ id, name }: Member): Person {
  return { id, name }
}
