import { WINDOW_BYTES } from '../../protocol/limits.ts'
import { Quota } from '../../quota.ts'

/** What an owner may have under way of a response that flows. */
const WIDE_BYTES = 1024 * 1024
/** What all wide windows of a thread together add to the others: the most that clients which then stop reading can hold of it. */
const MAX_ADDED_BYTES = 32 * 1024 * 1024

/** What a wide window adds to the one that every response has. */
export const ADDED_BYTES = WIDE_BYTES - WINDOW_BYTES
/** When a client takes so much over its connection in one second, its response gets one: each step between processes carries more. */
export const FLOWING_BYTES = 4 * 1024 * 1024
/** Credit for a wide window is returned in pieces of this size. */
export const WIDE_STEP_BYTES = WIDE_BYTES / 4

/** The wide windows of this thread. */
export const wideWindows = new Quota(MAX_ADDED_BYTES, ADDED_BYTES)
