import { closeSync, fstatSync, ftruncateSync } from 'node:fs'
import koffi from 'koffi'
import { lastError } from './libc.ts'

/** Linux only; from the headers of glibc and musl, the same on all its processors. */
const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
const F_SEAL_SEAL = 1
const F_SEAL_SHRINK = 2
const F_SEAL_GROW = 4
const PROT_READ_WRITE = 3
const MAP_SHARED = 1

/** Memory that two processes have in common. */
export interface SharedMemory {
  /** All of it. The array must not be used after {@link SharedMemory.close}: its addresses are gone. */
  readonly bytes: ArrayBuffer
  /** Takes it out of this process; whoever else has it keeps it. */
  close(): void
}

interface Functions {
  memfd_create(name: string, flags: number): number
  fcntl(fd: number, command: number, type: 'int', value: number): number
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint | null
  munmap(address: bigint, length: number): number
}

let functions: Functions | null | undefined

/** Whether this system has memory with seals. */
export function hasSharedMemory(): boolean {
  return bind() !== null
}

/**
 * Makes memory that nobody can resize, not even who gets its descriptor: touching it can't raise SIGBUS.
 *
 * @returns the memory, and a descriptor of it that belongs to the caller
 * @throws Node's errors: `EMFILE`, `ENOMEM`, …
 * @see https://man7.org/linux/man-pages/man2/memfd_create.2.html
 */
export function createSharedMemory(length: number): { memory: SharedMemory; descriptor: number } {
  const descriptor = bind()!.memfd_create('httpsys', MFD_CLOEXEC | MFD_ALLOW_SEALING)
  if (descriptor < 0) throw lastError('memfd_create')
  try {
    ftruncateSync(descriptor, length)
    if (bind()!.fcntl(descriptor, F_ADD_SEALS, 'int', F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
      throw lastError('fcntl')
    }
    return { memory: mapSharedMemory(descriptor, length), descriptor }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

/** Maps the memory that a descriptor stands for. @throws Node's errors, `EINVAL` when it is not of this length */
export function mapSharedMemory(descriptor: number, length: number): SharedMemory {
  if (fstatSync(descriptor).size !== length) {
    throw Object.assign(new Error('mmap EINVAL'), { code: 'EINVAL', syscall: 'mmap' })
  }
  const address = bind()!.mmap(null, length, PROT_READ_WRITE, MAP_SHARED, descriptor, 0)
  // MAP_FAILED is all ones.
  if (address === null || BigInt.asIntN(64, address) === -1n) throw lastError('mmap')
  let isMapped = true
  return {
    // SAFETY: the mapping is as long as the file, which can't shrink, and stays until `close`.
    bytes: koffi.view(address, length),
    close: () => {
      if (isMapped) bind()!.munmap(address, length)
      isMapped = false
    },
  }
}

function bind(): Functions | null {
  if (functions === undefined) functions = process.platform === 'linux' ? tryBind() : null
  return functions
}

function tryBind(): Functions | null {
  try {
    const library = koffi.load(null)
    return {
      memfd_create: library.func('int memfd_create(const char *name, unsigned int flags)'),
      fcntl: library.func('int fcntl(int fd, int command, ...)'),
      mmap: library.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)'),
      munmap: library.func('int munmap(void *address, size_t length)'),
    } as unknown as Functions
  } catch {
    // An older C library, or no prebuilt binary of koffi for this processor.
    return null
  }
}
