/** Numbers of http.h and winerror.h, under their own names. */

export const HTTPAPI_VERSION_2 = 2
export const HTTP_INITIALIZE_SERVER = 1

export const HttpServerQosProperty = 2
export const HttpServerTimeoutsProperty = 3
export const HttpServerQueueLengthProperty = 4
export const HttpServer503VerbosityProperty = 6
export const HttpServerBindingProperty = 7
export const HttpQosSettingTypeConnectionLimit = 1
/** HTTP_PROPERTY_FLAGS.Present */
export const PROPERTY_PRESENT = 1

export const HttpFeatureResponseTrailers = 1
export const HttpFeatureQueryCipherInfo = 15
export const HttpRequestPropertySni = 4
export const HttpRequestPropertyTlsCipherInfo = 14
export const HttpRequestInfoTypeSslProtocol = 2
export const HttpRequestInfoTypeRequestTiming = 5
export const HttpRequestTimingTypeRequestHeaderParseStart = 15

export const HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING = 1
export const HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER = 2

export const HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY = 1
export const HTTP_REQUEST_FLAG_MORE_ENTITY_BODY_EXISTS = 1
export const HTTP_REQUEST_FLAG_HTTP2 = 4
export const HTTP_REQUEST_FLAG_HTTP3 = 8

export const HTTP_SEND_RESPONSE_FLAG_DISCONNECT = 0x1
export const HTTP_SEND_RESPONSE_FLAG_MORE_DATA = 0x2
export const HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA = 0x4
export const HTTP_SEND_RESPONSE_FLAG_OPAQUE = 0x40
export const HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE = 1

export const HttpDataChunkFromMemory = 0
export const HttpDataChunkTrailers = 4

export const HttpCachePolicyUserInvalidates = 1
export const HttpCachePolicyTimeToLive = 2

export const HttpHeaderRequestMaximum = 41
export const HttpHeaderResponseMaximum = 30

export const AF_INET = 2
export const AF_INET6 = 23

export const INVALID_HANDLE_VALUE = -1
export const FILE_SKIP_COMPLETION_PORT_ON_SUCCESS = 1
export const FILE_SKIP_SET_EVENT_ON_HANDLE = 2

/** What `OVERLAPPED.Internal` holds while an operation is in flight. */
export const STATUS_PENDING = 0x103

export const ERROR_SUCCESS = 0
export const ERROR_FILE_NOT_FOUND = 2
export const ERROR_ACCESS_DENIED = 5
export const ERROR_INVALID_HANDLE = 6
export const ERROR_SHARING_VIOLATION = 32
export const ERROR_HANDLE_EOF = 38
export const ERROR_NOT_SUPPORTED = 50
export const ERROR_NETNAME_DELETED = 64
export const ERROR_INVALID_PARAMETER = 87
export const ERROR_CALL_NOT_IMPLEMENTED = 120
export const ERROR_INVALID_NAME = 123
export const ERROR_ALREADY_EXISTS = 183
export const ERROR_MORE_DATA = 234
export const ERROR_OPERATION_ABORTED = 995
export const ERROR_IO_PENDING = 997
export const ERROR_NOT_FOUND = 1168
export const ERROR_INVALID_NETNAME = 1214
export const ERROR_CONNECTION_INVALID = 1229
export const ERROR_CONNECTION_ABORTED = 1236
export const ERROR_UNKNOWN_REVISION = 1305
export const ERROR_NONE_MAPPED = 1332
export const ERROR_INVALID_ACL = 1336
export const ERROR_INVALID_SID = 1337
