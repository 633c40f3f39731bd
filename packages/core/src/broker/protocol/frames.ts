/**
 * The frames between an owner process and the broker daemon. All integers are little-endian.
 *
 * ```
 *  0  u32  length of the whole frame, header included
 *  4  u8   type
 *  5  u8   flags
 *  6  u16  aux: a status code, a mode or a kind
 *  8  u32  id: an exchange, a connection or a claim
 * 12  …    payload
 * ```
 * `docs/broker-protocol.md` describes each payload and shows a worked example.
 */
export const HEADER_BYTES = 12

/** Changes with every incompatible change of a frame. */
export const PROTOCOL_VERSION = 2
/** First bytes of a HELLO payload. */
export const MAGIC = 'HSYS'

// Both ways.
export const FRAME_HELLO = 1
export const FRAME_BODY = 2
export const FRAME_TRAILERS = 3
export const FRAME_CREDIT = 4
/** A piece of a body that lies in a block of the memory in common; aux is its number among those of who sends it. */
export const FRAME_BODY_BLOCK = 5
/** Of a BODY_BLOCK frame, whose payload is the length of the piece. */
export const BODY_BLOCK_BYTES = HEADER_BYTES + 4
/** The block that aux names, one of who gets this, is not needed any more. */
export const FRAME_BLOCK_FREE = 6

// Owner to broker.
export const FRAME_CLAIM = 16
export const FRAME_RELEASE = 17
export const FRAME_RESPONSE = 18
export const FRAME_INFORMATIONAL = 19
export const FRAME_DISCARD = 20
export const FRAME_CANCEL = 21
/** Flag of CANCEL: the client sees a reset, not an end. */
export const CANCEL_RESET = 1
/** In place of HELLO: descriptors of listening sockets will come over this connection. */
export const FRAME_HAND_OVER = 22

/** Close a client's connection if it is idle and this owner was the last to answer on it. */
export const FRAME_CLOSE_IDLE = 23

/** What is going on? */
export const FRAME_STATUS = 24

/** Start a successor, which may be of another version, and hand the ports over to it. */
export const FRAME_UPGRADE = 25

/** Forget what was cached for a claim at a path, or below it. */
export const FRAME_FLUSH = 26

/** What is in the cache? With {@link CACHE_DELETE}: forget it. */
export const FRAME_CACHE = 27

/** CACHE flag. */
export const CACHE_DELETE = 1

/**
 * HELLO flag. Owner: it can use rings. Broker: the memory of the rings came with this very frame (SCM_RIGHTS), which is the last
 * in either direction that goes over the socket; bytes that follow on it are doorbells.
 */
export const HELLO_RINGS = 1
/** HELLO flag. Owner: it can use blocks for bodies. Broker: their memory came with this very frame, behind that of rings if there are any. */
export const HELLO_BLOCKS = 2

/** RELEASE flag: requests wait for the next owner, as they do when a process dies. */
export const RELEASE_HOLD = 1
/** CLOSE_IDLE flag, for private ports: what is not idle is closed after what is under way. */
export const CLOSE_IDLE_END = 1

// Broker to owner.
export const FRAME_CLAIMED = 32
export const FRAME_REFUSED = 33
export const FRAME_RELEASED = 34
export const FRAME_CONNECTION = 35
export const FRAME_CONNECTION_CLOSED = 36
export const FRAME_REQUEST = 37
export const FRAME_DISCONNECT = 38
/** The descriptors may be sent now. */
export const FRAME_HAND_OVER_READY = 39
/** Private ports: a client has connected. */
export const FRAME_ACCEPTED = 40
/** Private ports: what a client sent is no request, or was too slow. */
export const FRAME_CLIENT_ERROR = 41

/** Another process has taken the claim's prefix over: no request for it follows, what was begun goes on. */
export const FRAME_REVOKED = 42

/** The answer to STATUS. */
export const FRAME_STATUS_REPLY = 43

/** A successor has the ports: claims are to be made there, what is under way is finished here. */
export const FRAME_LEAVING = 44
/** The answer to UPGRADE; REFUSED when it has failed. */
export const FRAME_UPGRADED = 45
/** The answer to FLUSH. */
export const FRAME_FLUSHED = 46
/** The answer to CACHE; REFUSED to those who may not ask. */
export const FRAME_CACHE_REPLY = 47

/** BODY, BODY_BLOCK, RESPONSE, TRAILERS: the last frame of this direction of the exchange. */
export const FLAG_END = 1

// REQUEST flags; FLAG_END there means that the body is complete within the frame.
export const REQUEST_HAS_BODY = 2
export const REQUEST_UPGRADE = 4
export const REQUEST_EXPECT_CONTINUE = 8
export const REQUEST_EXPECT_OTHER = 16
export const REQUEST_HTTP_1_0 = 32
export const REQUEST_KEEP_ALIVE = 64
/** It came over HTTP/2. */
export const REQUEST_HTTP_2 = 128

// RESPONSE flags besides FLAG_END.
export const RESPONSE_FLAG_CLOSE = 2
export const RESPONSE_FLAG_NO_DATE = 4
export const RESPONSE_FLAG_OPAQUE = 8
export const RESPONSE_FLAG_HAS_LENGTH = 16
export const RESPONSE_FLAG_KEEP_ALIVE = 32
/** Private ports: no head; all that follows are the connection's bytes as they are. */
export const RESPONSE_FLAG_RAW = 64
/** The response may be cached: a u32 stands in front of the reason, seconds or {@link FOREVER_SECONDS}. */
export const RESPONSE_FLAG_CACHE = 128
/** Private ports: the fields hold all that is said of the connection. Travels in the upper eight bits, behind the reason's length. */
export const RESPONSE_FLAG_OWN_CONNECTION = 256

/** CONNECTION flag: the client speaks TLS to the broker. */
export const CONNECTION_ENCRYPTED = 1

/** DISCONNECT, aux: the client ended its side and may still read. */
export const DISCONNECT_END = 1
/** DISCONNECT, aux: the connection is gone. */
export const DISCONNECT_RESET = 2

/** REQUEST: connection id u32, claim id u32, method length u16, target length u16, field count u16, head length u16; then head, then body. */
export const REQUEST_FIXED_BYTES = HEADER_BYTES + 16
/**
 * RESPONSE: content length as two u32 (low, high), fields length u32, reason length u16, upper flags u16; then, with
 * RESPONSE_FLAG_CACHE, u32 seconds; then reason, fields, body.
 */
export const RESPONSE_FIXED_BYTES = HEADER_BYTES + 16
/** With RESPONSE_FLAG_CACHE: u32 seconds to live. */
export const CACHE_POLICY_BYTES = 4
/** Stands for "until it is flushed" among seconds to live. */
export const FOREVER_SECONDS = 0xffff_ffff
/** ACCEPTED: claim id u32. */
export const ACCEPTED_BYTES = HEADER_BYTES + 4
/** CLIENT_ERROR: connection id u32, claim id u32, code length u16, two bytes of padding; then the code, then what was read. */
export const CLIENT_ERROR_FIXED_BYTES = HEADER_BYTES + 12
/** CREDIT: bytes u32. */
export const CREDIT_BYTES = HEADER_BYTES + 4
