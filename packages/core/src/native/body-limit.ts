/** As the broker says it. */
export const TOO_LONG_TEXT = 'EntityTooLarge: The entity body is longer than the limit of this prefix.\n'

/** Bytes that an entity body may have: HTTP.SYS itself has no limit for it. */
export function bodyLimitOf(maxBodySize: number | undefined): number {
  return maxBodySize ? maxBodySize : Infinity
}

/** Bytes that the client has announced; 0 when it has not. */
export function announcedLength(rawHeaders: readonly string[]): number {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() === 'content-length') return Number(rawHeaders[index + 1])
  }
  return 0
}
