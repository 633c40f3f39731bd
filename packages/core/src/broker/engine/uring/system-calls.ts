import koffi from 'koffi'
import { NR_IO_URING_ENTER, NR_IO_URING_REGISTER, NR_IO_URING_SETUP } from './kernel.ts'

/** The functions of the C library that the engine calls itself. Addresses are numbers: no user address exceeds 2^48. */
export interface SystemCalls {
  /** Each of the three returns -1 and leaves `errno`. */
  setup(entries: number, params: Uint8Array): number
  /** `argument` is the address of a `struct io_uring_getevents_arg`, or 0 with 0 bytes. */
  enter(
    ring: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    argumentBytes: number,
  ): number
  register(ring: number, operation: number, argument: Uint8Array | null, count: number): number
  /** Shared memory of a ring, or private memory for -1. @throws Node's error */
  map(bytes: number, descriptor: number, offset: number): Mapping
  unmap(mapping: Mapping): void
  readonly pageBytes: number
  /** Gives the memory of whole pages back, which are zero when they are next touched. */
  discard(address: number, bytes: number): void
  eventfd(): number
  /** A pipe's ends, read first. */
  pipe(): [number, number]
  /** Another descriptor of the same file. */
  duplicate(descriptor: number): number
  /** Puts another file under a descriptor. */
  replace(source: number, target: number): number
  close(descriptor: number): number
  /** `SHUT_WR`. */
  shutdown(descriptor: number, how: number): number
  getpeername(descriptor: number, address: Uint8Array, length: Uint32Array): number
  getsockname(descriptor: number, address: Uint8Array, length: Uint32Array): number
  inet_ntop(family: number, address: Uint8Array, text: Uint8Array, bytes: number): unknown
  if_indextoname(index: number, name: Uint8Array): unknown
  bind(descriptor: number, address: Uint8Array, length: number): number
  errno(): number
}

/** Memory outside JavaScript's heap: nothing moves it, and it lives until it is unmapped. */
export interface Mapping {
  readonly address: number
  readonly memory: ArrayBuffer
}

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MAP_PRIVATE = 2
const MAP_ANONYMOUS = 0x20
const MADV_DONTNEED = 4
const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000
const F_DUPFD_CLOEXEC = 1030

let loaded: SystemCalls | undefined

/** @throws when koffi has no binary for this machine */
export function systemCalls(): SystemCalls {
  loaded ??= bindFunctions()
  return loaded
}

function bindFunctions(): SystemCalls {
  const library = koffi.load(null)
  // `syscall` is variadic in C. Both ABIs pass such arguments in the same registers, and koffi calls other functions faster.
  const onSetup = library.func('syscall', 'long', ['long', 'uint32_t', 'void *'])
  const onEnter = library.func('syscall', 'int', [
    'long',
    'int',
    'uint32_t',
    'uint32_t',
    'uint32_t',
    'uintptr_t',
    'size_t',
  ])
  const onRegister = library.func('syscall', 'int', ['long', 'int', 'uint32_t', 'void *', 'uint32_t'])
  const mmap = library.func(
    'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
  )
  const munmap = library.func('int munmap(uintptr_t address, size_t length)')
  const madvise = library.func('int madvise(uintptr_t address, size_t length, int advice)')
  const getpagesize = library.func('int getpagesize()')
  const eventfd = library.func('int eventfd(uint32_t count, int flags)')
  const pipe2 = library.func('int pipe2(void *descriptors, int flags)')
  const dup3 = library.func('int dup3(int source, int target, int flags)')
  const fcntl = library.func('fcntl', 'int', ['int', 'int', 'int'])
  return {
    setup: (entries, params) => Number(onSetup(NR_IO_URING_SETUP, entries, params)),
    enter: (ring, toSubmit, minComplete, flags, argument, bytes) =>
      onEnter(NR_IO_URING_ENTER, ring, toSubmit, minComplete, flags, argument, bytes) as number,
    register: (ring, operation, argument, count) =>
      onRegister(NR_IO_URING_REGISTER, ring, operation, argument, count) as number,
    map(bytes, descriptor, offset) {
      const flags = descriptor === -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
      const pointer: unknown = mmap(null, bytes, PROT_READ_WRITE, flags, descriptor, offset)
      const address = Number(koffi.address(pointer))
      // MAP_FAILED is -1.
      if (address <= 0 || address > Number.MAX_SAFE_INTEGER) throw new Error(`mmap failed with errno ${koffi.errno()}`)
      // SAFETY: the kernel has just mapped so many bytes there; they are unmapped only where no view of them is used any more.
      return { address, memory: koffi.view(pointer, bytes) }
    },
    unmap: ({ address, memory }) => void munmap(address, memory.byteLength),
    pageBytes: getpagesize() as number,
    discard: (address, bytes) => void madvise(address, bytes, MADV_DONTNEED),
    eventfd: () => eventfd(0, O_CLOEXEC | O_NONBLOCK) as number,
    pipe() {
      const ends = new Int32Array(2)
      return pipe2(ends, O_CLOEXEC) === 0 ? [ends[0]!, ends[1]!] : [-1, -1]
    },
    duplicate: (descriptor) => fcntl(descriptor, F_DUPFD_CLOEXEC, 0) as number,
    replace: (source, target) => dup3(source, target, O_CLOEXEC) as number,
    close: library.func('int close(int fd)'),
    shutdown: library.func('int shutdown(int fd, int how)'),
    getpeername: library.func('int getpeername(int fd, void *address, void *length)'),
    getsockname: library.func('int getsockname(int fd, void *address, void *length)'),
    inet_ntop: library.func('inet_ntop', 'void *', ['int', 'void *', 'void *', 'uint32_t']),
    if_indextoname: library.func('if_indextoname', 'void *', ['uint32_t', 'void *']),
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    errno: () => koffi.errno(),
  }
}

/** The bytes of a small array, for a call. */
export function bytesOf(array: Uint32Array | BigUint64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
