/**
 * Whether a list of entity tags, or `*`, names the given one, by the weak comparison (RFC 9110 section 8.8.3.2).
 *
 * @param list - the value of an If-None-Match field
 * @param tag - of the stored response; null when it has none, so that only `*` names it
 */
export function matchesWeakly(list: string, tag: string | null): boolean {
  if (list.trim() === '*') return true
  if (tag === null) return false
  const opaque = withoutWeakness(tag)
  return tagsIn(list).some((candidate) => withoutWeakness(candidate) === opaque)
}

/** Whether two entity tags are the same and neither is weak: what ranges of the same bytes need. */
export function matchesStrongly(one: string, other: string | null): boolean {
  return one === other && one.startsWith('"')
}

/** Tags are quoted and may contain commas; what apps send without quotes is compared as it stands. */
function tagsIn(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"|[^\s,"]+/g) ?? []
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}
