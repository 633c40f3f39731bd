import { WINDOW_BYTES } from '../protocol/limits.ts'
import { Quota } from '../quota.ts'

/** What all wide windows of a thread together add: the most that apps which then stop to read hold of it. */
const MAX_ADDED_BYTES = 24 * 1024 * 1024

/** What a wide window adds to the one that every body has. */
export const ADDED_BYTES = 3 * WINDOW_BYTES
/** A body of which the app has taken so much gets one: the owner is woken up for more at a time. */
export const FLOWING_BYTES = WINDOW_BYTES
/** Credit for a wide window is returned in pieces of this size. */
export const WIDE_STEP_BYTES = WINDOW_BYTES

/** The wide windows of this thread. */
export const wideUploads = new Quota(MAX_ADDED_BYTES, ADDED_BYTES)
