// The name that a person chose, or one made up for them; this browser remembers it.
const KEY = 'name'
const adjectives = [
  'Amber',
  'Brisk',
  'Calm',
  'Dapper',
  'Eager',
  'Gentle',
  'Jolly',
  'Keen',
  'Merry',
  'Quiet',
  'Swift',
  'Witty',
]
const animals = [
  'Badger',
  'Finch',
  'Hare',
  'Heron',
  'Ibex',
  'Lynx',
  'Marten',
  'Otter',
  'Puffin',
  'Robin',
  'Vole',
  'Wren',
]

const any = (list) => list[Math.floor(Math.random() * list.length)]

export function ownName() {
  const kept = stored()
  if (kept) return kept
  const name = `${any(adjectives)} ${any(animals)}`
  keepName(name)
  return name
}

export function keepName(name) {
  try {
    localStorage.setItem(KEY, name)
  } catch {
    // A browser that keeps nothing forgets the name with the page.
  }
}

function stored() {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
