import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'

/**
 * The C library's sockets, for what node:net can't do: to listen without accepting, to hand a descriptor to a process that is not
 * a child, to reset a connection, and to ask how much of one is not sent. Called when a server begins to listen or a connection
 * is broken off or slow, never for a request that is answered.
 */

/** Values that differ between systems; from the headers of glibc and musl (the same), and of macOS. */
interface Platform {
  readonly AF_INET6: number
  readonly SOL_SOCKET: number
  readonly SO_REUSEADDR: number
  readonly SO_ACCEPTCONN: number
  readonly SO_LINGER: number
  readonly IPV6_V6ONLY: number
  readonly MSG_DONTWAIT: number
  /** How to ask who is at the other end of a local socket: SO_PEERCRED and SO_PEERGROUPS, LOCAL_PEERCRED. */
  readonly peer:
    | { readonly kind: 'ucred'; readonly credentials: number; readonly groups: number }
    | { readonly kind: 'xucred'; readonly credentials: number }
  /** How to ask for the bytes that a socket has not got rid of: SIOCOUTQ, SO_NWRITE. */
  readonly unsent:
    | { readonly kind: 'ioctl'; readonly request: number }
    | { readonly kind: 'option'; readonly option: number }
  /** `sa_len` comes before the family, which then is one byte. */
  readonly hasAddressLength: boolean
  /** Type of `msg_iovlen` and of `msg_controllen`. */
  readonly messageLengths: readonly [iovlen: string, controllen: string]
  readonly RLIMIT_NOFILE: number
  /** Bytes of `cmsg_len`, and of a `cmsghdr` with its padding. */
  readonly controlHeader: { readonly lengthBytes: 4 | 8; readonly bytes: 12 | 16 }
}

const LINUX: Platform = {
  AF_INET6: 10,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_ACCEPTCONN: 30,
  SO_LINGER: 13,
  IPV6_V6ONLY: 26,
  MSG_DONTWAIT: 0x40,
  peer: { kind: 'ucred', credentials: 17, groups: 59 },
  unsent: { kind: 'ioctl', request: 0x5411 },
  hasAddressLength: false,
  messageLengths: ['size_t', 'size_t'],
  RLIMIT_NOFILE: 7,
  controlHeader: { lengthBytes: 8, bytes: 16 },
}

const MACOS: Platform = {
  AF_INET6: 30,
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 4,
  SO_ACCEPTCONN: 2,
  SO_LINGER: 0x80,
  IPV6_V6ONLY: 27,
  MSG_DONTWAIT: 0x80,
  peer: { kind: 'xucred', credentials: 1 },
  unsent: { kind: 'option', option: 0x1024 },
  hasAddressLength: true,
  messageLengths: ['int', 'uint32_t'],
  RLIMIT_NOFILE: 8,
  controlHeader: { lengthBytes: 4, bytes: 12 },
}

export const AF_INET = 2
export const SOCK_STREAM = 1
export const IPPROTO_IPV6 = 41
export const SCM_RIGHTS = 1
export const F_SETFD = 2
export const FD_CLOEXEC = 1
export const SHUT_RDWR = 2
/** Of a `struct sock_fprog`. */
const PROGRAM_BYTES = 16

/** `struct msghdr` as koffi writes it. */
export interface MessageHeader {
  name: null
  namelen: 0
  iov: { base: Buffer; length: number }[]
  iovlen: number
  control: Buffer
  controllen: number
  flags: 0
}

/** The functions that are used, and the constants of this system. */
export interface Libc {
  readonly platform: Platform
  socket(domain: number, type: number, protocol: number): number
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number
  /** `setsockopt` with a `struct sock_fprog`: a classic BPF program, of 8 bytes an instruction, which Linux copies. */
  attachProgram(fd: number, level: number, name: number, program: Buffer): number
  bind(fd: number, address: Buffer, length: number): number
  listen(fd: number, backlog: number): number
  /** `length` is a u32 in the machine's order, in and out. */
  getsockname(fd: number, address: Buffer, length: Buffer): number
  inet_pton(family: number, text: string, address: Buffer): number
  close(fd: number): number
  shutdown(fd: number, how: number): number
  setCloseOnExec(fd: number): number
  /** Puts the file of one descriptor under another one, which is closed before. */
  dup2(fd: number, target: number): number
  /** The value of a socket option of at most so many bytes; undefined when it can't be had. */
  readOption(fd: number, level: number, name: number, size: number): Buffer | undefined
  /** Writes how much the socket has not got rid of into four bytes. */
  readUnsent(fd: number, value: Buffer): number
  sendmsg(fd: number, message: MessageHeader, flags: number): number
  recvmsg(fd: number, message: MessageHeader, flags: number): number
  /** `struct rlimit`: two u64, what counts now and what it may be raised to. */
  getrlimit(resource: number, limits: BigUint64Array): number
}

let loaded: Libc | null | undefined

/** Loads the C library when it is first needed; null on systems whose layouts are not known here, or without koffi's binary. */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load()
  return loaded
}

/** The error that a function of the C library has just left behind, in the form of Node's own. */
export function lastError(syscall: string): NodeJS.ErrnoException {
  const errno = -koffi.errno()
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno, syscall })
}

function load(): Libc | null {
  const platform = process.platform === 'linux' ? LINUX : process.platform === 'darwin' ? MACOS : null
  if (platform === null) return null
  try {
    return bindFunctions(platform)
  } catch {
    // No prebuilt binary for this processor: nothing else of the product needs it here.
    return null
  }
}

function bindFunctions(platform: Platform): Libc {
  const library = koffi.load(null)
  const [iovlen, controllen] = platform.messageLengths
  const piece = koffi.struct({ base: 'void *', length: 'size_t' })
  const message = koffi.pointer(
    koffi.struct({
      name: 'void *',
      namelen: 'uint32_t',
      iov: koffi.pointer(piece),
      iovlen,
      control: 'void *',
      controllen,
      flags: 'int',
    }),
  )
  const program = koffi.pointer(koffi.struct({ length: 'uint16_t', instructions: 'void *' }))
  const attach = library.func('setsockopt', 'int', ['int', 'int', 'int', program, 'uint32_t'])
  const fcntl = library.func('int fcntl(int fd, int command, ...)')
  const ioctl = library.func('int ioctl(int fd, unsigned long request, ...)')
  const getsockopt = library.func('int getsockopt(int fd, int level, int name, void *value, void *length)')
  const four = Buffer.from(new Uint32Array([4]).buffer)
  return {
    platform,
    socket: library.func('int socket(int domain, int type, int protocol)'),
    setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
    attachProgram: (fd, level, name, instructions) =>
      attach(fd, level, name, { length: instructions.length / 8, instructions }, PROGRAM_BYTES) as number,
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    listen: library.func('int listen(int fd, int backlog)'),
    getsockname: library.func('int getsockname(int fd, void *address, void *length)'),
    inet_pton: library.func('int inet_pton(int family, const char *text, void *address)'),
    close: library.func('int close(int fd)'),
    shutdown: library.func('int shutdown(int fd, int how)'),
    dup2: library.func('int dup2(int fd, int target)'),
    setCloseOnExec: (fd) => fcntl(fd, F_SETFD, 'int', FD_CLOEXEC) as number,
    readOption: (fd, level, name, size) => {
      const value = Buffer.alloc(size)
      const length = new Uint32Array([size])
      if ((getsockopt(fd, level, name, value, length) as number) < 0) return undefined
      return value.subarray(0, length[0])
    },
    readUnsent: (fd, value) =>
      (platform.unsent.kind === 'ioctl'
        ? ioctl(fd, platform.unsent.request, 'void *', value)
        : getsockopt(fd, platform.SOL_SOCKET, platform.unsent.option, value, four)) as number,
    sendmsg: library.func('sendmsg', 'intptr_t', ['int', message, 'int']),
    recvmsg: library.func('recvmsg', 'intptr_t', ['int', message, 'int']),
    getrlimit: library.func('int getrlimit(int resource, void *limits)'),
  }
}
