interface Latin1Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
}

/** The text of `bytes[start, end)`, one byte a character; Node's own method without the look-up of an encoding's name. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Buffer).latin1Slice(start, end)
}

/** Writes a text, one byte a character, and returns its length; there must be room for it. */
export function writeLatin1(bytes: Buffer, text: string, offset: number): number {
  return (bytes as unknown as Latin1Buffer).latin1Write(text, offset, text.length)
}
