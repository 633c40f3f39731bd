import { MemoryBlock } from './memory-block.ts'
import type { Win32Api } from './win32-api.ts'

const CURRENT_PROCESS = -1
const TOKEN_QUERY = 8
const TokenUser = 1

/** Names of accounts and domains are at most 256 characters long, and end in a NUL. */
const NAME_CHARACTERS = 260
/** What stands where in the block. A TOKEN_USER has 16 bytes, its SID 68 at most. */
const TOKEN = 0
const LENGTH = 8
const NAME_COUNT = 12
const DOMAIN_COUNT = 16
const USE = 20
const USER = 24
const USER_BYTES = 128
const NAME = USER + USER_BYTES
const DOMAIN = NAME + 2 * NAME_CHARACTERS
const BLOCK_BYTES = DOMAIN + 2 * NAME_CHARACTERS

/**
 * Who this process runs as, as netsh wants it: `DOMAIN\name`. Of services the environment does not tell: USERNAME is the machine's there.
 *
 * @returns undefined when Windows does not say
 */
export function accountName({ kernel, memory }: Win32Api): string | undefined {
  const block = new MemoryBlock(memory, BLOCK_BYTES)
  const { address, bytes } = block
  try {
    // SAFETY: each call has returned before the next line, and knows of no more room than there is behind the address.
    if (kernel.OpenProcessToken(CURRENT_PROCESS, TOKEN_QUERY, address + TOKEN) === 0) return undefined
    const token = block.readAddress(TOKEN)
    const isKnown = kernel.GetTokenInformation(token, TokenUser, address + USER, USER_BYTES, address + LENGTH)
    kernel.CloseHandle(token)
    if (isKnown === 0) return undefined
    block.u32[NAME_COUNT >>> 2] = NAME_CHARACTERS
    block.u32[DOMAIN_COUNT >>> 2] = NAME_CHARACTERS
    const isNamed = kernel.LookupAccountSidW(
      null,
      block.readAddress(USER),
      address + NAME,
      address + NAME_COUNT,
      address + DOMAIN,
      address + DOMAIN_COUNT,
      address + USE,
    )
    if (isNamed === 0) return undefined
    const text = (at: number, count: number): string =>
      bytes.toString('utf16le', at, at + 2 * Math.min(block.u32[count >>> 2]!, NAME_CHARACTERS))
    const domain = text(DOMAIN, DOMAIN_COUNT)
    return (domain === '' ? '' : `${domain}\\`) + text(NAME, NAME_COUNT)
  } finally {
    block.free()
  }
}
