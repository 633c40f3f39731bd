interface Latin1Buffer {
  latin1Slice(start: number, end: number): string
}

/** The text of `bytes[start, end)`, one byte a character; Node's own method without the look-up of an encoding's name. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Buffer).latin1Slice(start, end)
}
