/** What Windows is free to do one way or the other. A test fixes what it is about; the rest is drawn, the same for each seed. */
export interface Whims {
  /** How often, 0 to 1, a call that could be done at once is: it returns 0 instead of ERROR_IO_PENDING. */
  atOnce: number
  /** Completions of one wake come in any order. */
  shuffles: boolean
  /** HttpIsFeatureSupported(HttpFeatureResponseTrailers). */
  hasTrailers: boolean
  /** Of HTTP/2, which the wire does not speak here: the structs say so, and the kernel frames bodies by itself. */
  isMultiplexed: boolean
  /** Clients' addresses are told as IPv6. */
  isIpv6: boolean
  /** SetFileCompletionNotificationModes works; where it does not, a completion is queued although the call returned 0. */
  canSkip: boolean
  /** A completion is queued although the call returned 0, or 234, and the handle skips those. */
  postsAnyway: boolean
  /** A read at the end of a body returns no bytes, instead of ERROR_HANDLE_EOF. */
  endsWithNothing: boolean
  /** A body that does not fit behind the head makes a receive return 234, with the bytes that are missing; else it comes in part. */
  wantsRoomForBody: boolean
  /** Functions that came with Windows 10 are there. */
  isRecent: boolean
  /** HttpIsFeatureSupported(HttpFeatureQueryCipherInfo). */
  tellsCipher: boolean
  /** What calls complete with whose client has gone. */
  goneStatus: 64 | 1229 | 1236
  /** What HttpSetUrlGroupProperty returns for the queue of another process; 0 when a worker may bind URLs of its own. */
  bindStatus: number
  seed: number
}

export const DEFAULT_WHIMS: Whims = {
  atOnce: 0.5,
  shuffles: true,
  hasTrailers: true,
  isMultiplexed: false,
  isIpv6: false,
  canSkip: true,
  postsAnyway: false,
  endsWithNothing: false,
  wantsRoomForBody: false,
  isRecent: true,
  tellsCipher: true,
  goneStatus: 64,
  bindStatus: 0,
  seed: 1,
}

/** Mulberry32: small, and the same everywhere. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 up to, not including, 1. */
  roll(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  shuffle<Value>(values: Value[]): void {
    for (let last = values.length - 1; last > 0; last--) {
      const other = Math.floor(this.roll() * (last + 1))
      ;[values[last], values[other]] = [values[other]!, values[last]!]
    }
  }
}
