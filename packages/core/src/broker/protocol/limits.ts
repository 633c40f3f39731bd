/** The most bytes of a body in one frame. */
export const MAX_BODY_FRAME_BYTES = 64 * 1024

/** The most bytes of response fields; node:http has no limit, and 256 KiB is far above what clients accept (curl: 100 KiB a field). */
export const MAX_FIELDS_BYTES = 256 * 1024

/** The largest frame that either side accepts; anything longer is a broken or hostile peer. */
export const MAX_FRAME_BYTES = MAX_FIELDS_BYTES + MAX_BODY_FRAME_BYTES + 4096

/**
 * Bytes of one direction of one exchange that may be under way before the receiver grants more.
 * 128 KiB keeps a local socket busy (its round trip is some 50 µs) and bounds what a slow peer can make the other side hold.
 */
export const WINDOW_BYTES = 128 * 1024

/** Credit is returned in pieces of at least this size, so that it costs a frame in every few reads, not in each. */
export const CREDIT_STEP_BYTES = WINDOW_BYTES / 4

/** Exchange ids: the low bits are a slot in the owner's table, the others a generation that tells old frames from new. */
export const SLOT_BITS = 20
export const SLOT_MASK = (1 << SLOT_BITS) - 1
export const MAX_SLOTS = 1 << SLOT_BITS
export const MAX_ID = 0x7fff_ffff
