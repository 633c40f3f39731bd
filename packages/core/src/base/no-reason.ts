/** Stands for no reason phrase, where an empty one stands for the usual one of its status: between app, broker and HTTP.SYS's encoder. */
export const NO_REASON = ' '
