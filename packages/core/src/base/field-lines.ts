/**
 * The values of a field among field lines (`Name: value CR LF`), in order, without the white space around them.
 *
 * @param name - in lower case
 */
export function fieldValues(fields: string, name: string): string[] {
  const values: string[] = []
  for (let start = 0; start < fields.length;) {
    let end = fields.indexOf('\r\n', start)
    if (end === -1) end = fields.length
    const isNamed = fields.charCodeAt(start + name.length) === COLON
    if (isNamed && fields.slice(start, start + name.length).toLowerCase() === name) {
      values.push(fields.slice(start + name.length + 1, end).trim())
    }
    start = end + 2
  }
  return values
}

const COLON = 58

/** The members of a comma-separated list of tokens that may come in several fields, in lower case. */
export function listMembers(values: readonly string[]): string[] {
  return values
    .join(',')
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '')
}
