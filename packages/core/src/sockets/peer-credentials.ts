import { libc } from './libc.ts'

/** Who is at the other end of a local socket, as the kernel knows it: what the process says itself counts for nothing. */
export interface PeerCredentials {
  readonly uid: number
  /** The effective group, and on Linux the supplementary ones. */
  readonly gids: readonly number[]
}

const MAX_GROUPS = 1024

/** The credentials that a local socket's peer had when it connected; undefined where the system does not tell. */
export function peerCredentials(descriptor: number): PeerCredentials | undefined {
  const library = libc()
  if (library === null || descriptor < 0) return undefined
  const { platform } = library
  return platform.peer.kind === 'ucred'
    ? readUcred(descriptor, platform.peer.credentials, platform.peer.groups)
    : readXucred(descriptor, platform.peer.credentials)
}

/** Linux: `struct ucred { pid_t pid; uid_t uid; gid_t gid; }`. */
function readUcred(descriptor: number, option: number, groupsOption: number): PeerCredentials | undefined {
  const library = libc()!
  const level = library.platform.SOL_SOCKET
  const found = library.readOption(descriptor, level, option, 12)
  if (found === undefined || found.length < 12) return undefined
  const numbers = new Uint32Array(found.buffer, found.byteOffset, 3)
  const groups = library.readOption(descriptor, level, groupsOption, 4 * MAX_GROUPS)
  const others = groups === undefined ? [] : new Uint32Array(groups.buffer, groups.byteOffset, groups.length / 4)
  return { uid: numbers[1]!, gids: [numbers[2]!, ...others] }
}

/** macOS: `struct xucred { u_int version; uid_t uid; short ngroups; gid_t groups[16]; }`, at level 0 (SOL_LOCAL). */
function readXucred(descriptor: number, option: number): PeerCredentials | undefined {
  const found = libc()!.readOption(descriptor, 0, option, 76)
  if (found === undefined || found.length < 76) return undefined
  const numbers = new Uint32Array(found.buffer, found.byteOffset, 19)
  return { uid: numbers[1]!, gids: [...numbers.subarray(3, 3 + (numbers[2]! & 0xffff))] }
}
