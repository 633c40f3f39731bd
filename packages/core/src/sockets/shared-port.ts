import { lastError } from './libc.ts'
import type { Libc } from './libc.ts'
import { openListeningSocket } from './listening-socket.ts'
import type { ListenTarget } from './listening-socket.ts'

// Linux's numbers, of the processors that Node runs on.
const SOL_SOCKET = 1
const SO_REUSEPORT = 15
const SO_ATTACH_REUSEPORT_CBPF = 51

// Classic BPF, `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }`.
const BPF_LD_W_ABS = 0x20
const BPF_ALU_MOD_K = 0x94
const BPF_RET_A = 0x16
const BPF_INSTRUCTION_BYTES = 8
/** `SKF_AD_OFF + SKF_AD_RANDOM`: where a program reads 32 random bits. */
const RANDOM_OFFSET = -0x1000 + 56

/**
 * Opens more sockets at the address of one that listens, for the kernel to share clients out among all of them, by lot.
 *
 * The first is bound alone, so an address that any other socket has is refused as ever. Afterwards a process of the same user could put a
 * socket of its own beside these; the lot falls on the sockets that are opened here, and that one gets nothing.
 *
 * @param descriptor - of the first socket, which this user has opened
 * @param target - its address, with its port
 * @returns as many of them as could be opened: none by a user who may not have the port, or does not have the first socket
 */
export function openSiblings(
  libc: Libc,
  descriptor: number,
  target: ListenTarget,
  backlog: number,
  count: number,
): number[] {
  const siblings: number[] = []
  if (setReusePort(libc, descriptor, true) < 0) return siblings
  try {
    while (siblings.length < count) siblings.push(openListeningSocket(libc, target, backlog, shareable).descriptor)
  } catch {
    // Threads without a socket are given clients by those who accept some.
  }
  // Where the lot can't be had (no memory) the kernel goes by the clients' addresses.
  if (siblings.length > 0) shareByLot(libc, descriptor, 1 + siblings.length)
  else setReusePort(libc, descriptor, false)
  return siblings
}

function shareable(libc: Libc, descriptor: number): void {
  if (setReusePort(libc, descriptor, true) < 0) throw lastError('setsockopt')
}

function setReusePort(libc: Libc, descriptor: number, isOn: boolean): number {
  const value = Buffer.from(Int32Array.of(isOn ? 1 : 0).buffer)
  return libc.setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, value, value.length)
}

/** For a connection the kernel takes the socket of this place, in the order in which they began to listen. */
function shareByLot(libc: Libc, descriptor: number, sockets: number): void {
  const program = Buffer.alloc(3 * BPF_INSTRUCTION_BYTES)
  const words = new DataView(program.buffer, program.byteOffset, program.length)
  const instructions = [
    [BPF_LD_W_ABS, RANDOM_OFFSET],
    [BPF_ALU_MOD_K, sockets],
    [BPF_RET_A, 0],
  ] as const
  for (const [index, [code, k]] of instructions.entries()) {
    words.setUint16(index * BPF_INSTRUCTION_BYTES, code, true)
    words.setInt32(index * BPF_INSTRUCTION_BYTES + 4, k, true)
  }
  libc.attachProgram(descriptor, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program)
}
