/** Characters (UTF-16 units) that a message may have. */
export const MAX_TEXT_LENGTH = 2000
/** Characters (UTF-16 units) that a person's name may have. */
export const MAX_NAME_LENGTH = 40

/** What a room name must look like, in words. */
export const ROOM_NAME_RULE =
  'a room name has 1 to 40 letters, digits, dashes or underscores, and starts with one of the first two'

/** A value that passed its check, or what is wrong with it in words. */
export type Checked = { readonly value: string } | { readonly error: string }

/** Paths of the process itself, which a room of that name would hide behind. */
const RESERVED = new Set(['status', 'assets'])

/** Whether a room can have this name: one that is plain in a URL and is no path of the process itself. */
export function isRoomName(name: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,39}$/i.test(name) && !RESERVED.has(name.toLowerCase())
}

/** The text of a message, line breaks kept, without the blanks around it. */
export function checkText(text: unknown): Checked {
  if (typeof text !== 'string') return { error: 'text must be a string' }
  return check('text', withoutControls(text).trim(), MAX_TEXT_LENGTH)
}

/** A person's name, on one line. */
export function checkName(name: unknown): Checked {
  if (typeof name !== 'string') return { error: 'name must be a string' }
  return check('name', withoutControls(name).replaceAll(/\s+/g, ' ').trim(), MAX_NAME_LENGTH)
}

function check(what: string, value: string, limit: number): Checked {
  if (value === '') return { error: `${what} must not be empty` }
  if (value.length > limit) return { error: `${what} has ${value.length} characters, the limit is ${limit}` }
  return { value }
}

/** Terminals obey control characters, and direction overrides (U+202A to U+202E, U+2066 to U+2069) make one name look like another. */
function withoutControls(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
}
