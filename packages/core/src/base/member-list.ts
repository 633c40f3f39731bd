/** Something that is in one {@link MemberList} at a time. */
export interface Member {
  /** Where it is in its list, which alone sets it; -1 while it is in none. */
  place: number
}

/**
 * A set whose members come and go all the time, as connections and requests do.
 *
 * A `Set` or `Map` would leave a trail: each time V8 makes its table anew the old table refers to the new one. Once a table has become old,
 * scavenges take all later tables for alive, and with them all who were in them, until the next full collection.
 */
export class MemberList<T extends Member> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  /** Adds one that is in no list. */
  add(member: T): void {
    member.place = this.#members.length
    this.#members.push(member)
  }

  /** Returns whether it was there. */
  delete(member: T): boolean {
    const { place } = member
    if (place === -1) return false
    member.place = -1
    const last = this.#members.pop()!
    if (last === member) return true
    this.#members[place] = last
    last.place = place
    return true
  }

  /** Those that are there now, in no order, less those that are deleted meanwhile. */
  *[Symbol.iterator](): Generator<T, undefined, undefined> {
    const present = [...this.#members]
    for (const member of present) if (member.place !== -1) yield member
  }
}
