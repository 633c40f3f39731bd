/**
 * Memory that an owner and its broker have in common, for what is large of response bodies: the owner copies a piece into a block and
 * sends a frame that names it, the broker sends the block to the client from where it lies, and gives it back. So a piece crosses no
 * local socket. Whoever finds no block free sends an ordinary frame.
 *
 * The broker makes the memory, and only ever reads it; what an owner writes into a block that it has sent already is its own response.
 */

/** As much as goes into one BODY frame. */
export const BLOCK_BYTES = 64 * 1024
/** As many as one wide window holds; few enough to stay in the processor's cache. */
export const BLOCK_COUNT = 16
export const BLOCKS_BYTES = BLOCK_BYTES * BLOCK_COUNT
