/**
 * io_uring's binary interface, as far as it is used here: numbers and layouts of `linux/io_uring.h`, the same on x86-64 and arm64.
 *
 * @see https://man7.org/linux/man-pages/man7/io_uring.7.html
 */

export const NR_IO_URING_SETUP = 425
export const NR_IO_URING_ENTER = 426
export const NR_IO_URING_REGISTER = 427

export const IORING_OFF_SQ_RING = 0
export const IORING_OFF_SQES = 0x1000_0000

// io_uring_setup; with the kernel that brought each
export const IORING_SETUP_CQSIZE = 1 << 3 // 5.5
export const IORING_SETUP_CLAMP = 1 << 4 // 5.6
export const IORING_SETUP_SUBMIT_ALL = 1 << 7 // 5.18
export const IORING_SETUP_COOP_TASKRUN = 1 << 8 // 5.19
export const IORING_SETUP_TASKRUN_FLAG = 1 << 9 // 5.19
export const IORING_SETUP_SINGLE_ISSUER = 1 << 12 // 6.0
export const IORING_SETUP_DEFER_TASKRUN = 1 << 13 // 6.1
export const IORING_SETUP_NO_SQARRAY = 1 << 16 // 6.6

export const IORING_FEAT_SINGLE_MMAP = 1 << 0
export const IORING_FEAT_NODROP = 1 << 1
export const IORING_FEAT_EXT_ARG = 1 << 8 // 5.11
export const IORING_FEAT_RW_ATTR = 1 << 16 // 6.14

export const IORING_ENTER_GETEVENTS = 1 << 0
export const IORING_ENTER_EXT_ARG = 1 << 3
export const IORING_ENTER_REGISTERED_RING = 1 << 4 // 5.18

export const IORING_SQ_CQ_OVERFLOW = 1 << 1
export const IORING_SQ_TASKRUN = 1 << 2
export const IORING_CQ_EVENTFD_DISABLED = 1 << 0 // 5.8

export const IORING_REGISTER_EVENTFD = 4
export const IORING_UNREGISTER_EVENTFD = 5
export const IORING_REGISTER_FILES_UPDATE = 6
export const IORING_REGISTER_FILES2 = 13 // 5.13
export const IORING_RSRC_REGISTER_SPARSE = 1 << 0 // 5.19
export const IORING_REGISTER_RING_FDS = 20
export const IORING_REGISTER_PBUF_RING = 22 // 5.19

export const IORING_OP_POLL_ADD = 6
export const IORING_OP_ACCEPT = 13
export const IORING_OP_ASYNC_CANCEL = 14
export const IORING_OP_CLOSE = 19
export const IORING_OP_SEND = 26
export const IORING_OP_RECV = 27

export const IOSQE_FIXED_FILE = 1 << 0
export const IOSQE_BUFFER_SELECT = 1 << 5
export const IOSQE_CQE_SKIP_SUCCESS = 1 << 6 // 5.17

export const IORING_ACCEPT_MULTISHOT = 1 << 0 // 5.19
export const IORING_RECV_MULTISHOT = 1 << 1 // 6.0
export const IORING_ASYNC_CANCEL_ALL = 1 << 0 // 5.19
export const IORING_ASYNC_CANCEL_FD = 1 << 1 // 5.19

/** A provided buffer has been used up. */
export const IORING_CQE_F_BUFFER = 1 << 0
/** More completions of the same operation follow. */
export const IORING_CQE_F_MORE = 1 << 1
/** The number of the provided buffer is in the upper half of the flags. */
export const IORING_CQE_BUFFER_SHIFT = 16

/** `struct io_uring_params`: bytes, and offsets of its fields. */
export const PARAMS_BYTES = 120
export const PARAMS = {
  sqEntries: 0,
  cqEntries: 4,
  flags: 8,
  features: 20,
  sqHead: 40,
  sqTail: 44,
  sqFlags: 56,
  sqArray: 64,
  cqHead: 80,
  cqTail: 84,
  cqCqes: 100,
  cqFlags: 104,
} as const

/** `struct io_uring_sqe` is 16 ints, `struct io_uring_cqe` 4. */
export const SQE_BYTES = 64
export const CQE_BYTES = 16

/** Ints of a submission entry. */
export const SQE_HEAD = 0 // opcode, flags << 8, ioprio << 16
export const SQE_FD = 1
export const SQE_ADDRESS_LOW = 4
export const SQE_ADDRESS_HIGH = 5
export const SQE_LENGTH = 6
export const SQE_OPERATION_FLAGS = 7
export const SQE_USER = 8
export const SQE_BUFFER_GROUP = 10

// errno
export const EPERM = 1
export const EINTR = 4
export const EAGAIN = 11
export const EINVAL = 22
export const ENOSYS = 38
export const ECONNABORTED = 103
export const ENOBUFS = 105
export const ECANCELED = 125

export const SOCK_CLOEXEC = 0o2000000
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const SHUT_WR = 1
export const POLLIN = 1
