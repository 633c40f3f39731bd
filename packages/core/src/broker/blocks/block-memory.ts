/**
 * Memory that an owner and its broker have in common, for what is large of bodies: who sends copies a piece into a block and sends a
 * frame that names it, and gets the block back when the other side does not need it any more. So a piece crosses no local socket. Whoever
 * finds no block free sends an ordinary frame. Each side has blocks of its own: first the owner's, for responses, then the broker's, for
 * requests, which the owner gives it when it has got the memory.
 *
 * The broker makes the memory. It sends an owner's blocks to clients from where they lie, and otherwise reads them only to copy; what an
 * owner writes into one that it has sent already is its own response. Of its own blocks it reads nothing.
 */

/** As much as goes into one BODY frame. */
export const BLOCK_BYTES = 64 * 1024
/** Of each side: as many as one wide window holds; few enough to stay in the processor's cache. */
export const BLOCK_COUNT = 16
/** Where the broker's blocks begin. */
export const BROKER_BLOCKS_START = BLOCK_BYTES * BLOCK_COUNT
export const BLOCKS_BYTES = 2 * BLOCK_BYTES * BLOCK_COUNT
