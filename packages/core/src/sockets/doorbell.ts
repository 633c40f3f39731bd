import { sendNow } from './send-now.ts'

const BYTE = Buffer.from('!')

/**
 * Sends one byte over a local socket, which wakes the process at its other end. That it can't be sent is no failure: either that
 * process has plenty to read already, or it is gone, which the socket will tell.
 */
export function ringDoorbell(descriptor: number): void {
  sendNow(descriptor, BYTE)
}
