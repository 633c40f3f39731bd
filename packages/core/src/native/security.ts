import { checkBool } from './check.ts'
import { SECURITY_ATTRIBUTES } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { Address, Win32Api } from './win32-api.ts'

/** SDDL_REVISION_1 */
const REVISION = 1

/**
 * Makes a SECURITY_ATTRIBUTES for one call.
 *
 * @param sddl - a security descriptor in its text form; undefined for the default, which lets in this user and administrators
 * @throws HttpSysError `EINVAL` when the text is none
 */
export function withSecurity<Result>(
  { kernel, memory }: Win32Api,
  sddl: string | undefined,
  use: (attributes: Address) => Result,
): Result {
  if (sddl === undefined) return use(0)
  const block = new MemoryBlock(memory, SECURITY_ATTRIBUTES.$size)
  try {
    const name = 'ConvertStringSecurityDescriptorToSecurityDescriptorW'
    // SAFETY: the eight bytes of the address are written before the call returns. What it points at is Windows' own and is never
    // freed: it may be used once in the life of a process.
    const result = kernel[name](sddl, REVISION, block.address + SECURITY_ATTRIBUTES.lpSecurityDescriptor, 0)
    checkBool(kernel, name, result, sddl)
    block.u32[SECURITY_ATTRIBUTES.nLength >>> 2] = SECURITY_ATTRIBUTES.$size
    return use(block.address)
  } finally {
    // SAFETY: the call that was given it has returned, and keeps nothing of it.
    block.free()
  }
}
