/** Of all trailer fields of a request together. */
export const MAX_TRAILER_BYTES = 16_384

/** RFC 9110 section 6.5.1: fields that frame, route or authenticate can't come after the fact. */
const FORBIDDEN =
  /^(?:content-length|transfer-encoding|host|connection|keep-alive|te|trailer|upgrade|expect|content-type|content-encoding|content-range|authorization|proxy-authorization|cookie|set-cookie):/im

/** Whether one of the field lines may not come behind a body. */
export function hasForbiddenTrailer(lines: string): boolean {
  return FORBIDDEN.test(lines)
}
