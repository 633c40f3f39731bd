interface Node<T> {
  value: T | undefined
  children: Map<string, Node<T>> | undefined
}

/** Paths by segment, case-insensitive: a look-up costs as many steps as the match is deep, however many paths there are. */
export class PathTrie<T> {
  readonly #root: Node<T> = { value: undefined, children: undefined }

  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children === undefined
  }

  /** Stores a value under `/a/b/`; returns the value that was there before and stays, if any. */
  add(path: string, value: T): T | undefined {
    let node = this.#root
    for (const segment of segmentsOf(path)) {
      node.children ??= new Map()
      let child = node.children.get(segment)
      if (child === undefined) {
        child = { value: undefined, children: undefined }
        node.children.set(segment, child)
      }
      node = child
    }
    if (node.value !== undefined) return node.value
    node.value = value
    return undefined
  }

  /** Takes a path out, and the nodes that led only to it; returns whether it was there. */
  remove(path: string): boolean {
    return removeFrom(this.#root, segmentsOf(path), 0)
  }

  /** The value of the longest stored path that `path` begins with, segment by segment. */
  find(path: string): T | undefined {
    let node = this.#root
    let best = node.value
    let start = 1
    while (node.children !== undefined && start < path.length) {
      let end = path.indexOf('/', start)
      if (end === -1) end = path.length
      const child = node.children.get(path.slice(start, end).toLowerCase())
      if (child === undefined) break
      if (child.value !== undefined) best = child.value
      node = child
      start = end + 1
    }
    return best
  }

  /** The same for segments that have been decoded already. */
  findSegments(segments: readonly string[]): T | undefined {
    let node: Node<T> | undefined = this.#root
    let best = node.value
    for (const segment of segments) {
      node = node.children?.get(segment.toLowerCase())
      if (node === undefined) break
      if (node.value !== undefined) best = node.value
    }
    return best
  }
}

function segmentsOf(path: string): string[] {
  return path.toLowerCase().split('/').slice(1, -1)
}

function removeFrom<T>(node: Node<T>, segments: string[], depth: number): boolean {
  if (depth === segments.length) {
    const wasThere = node.value !== undefined
    node.value = undefined
    return wasThere
  }
  const segment = segments[depth]!
  const child = node.children?.get(segment)
  if (child === undefined || !removeFrom(child, segments, depth + 1)) return false
  if (child.value === undefined && child.children === undefined) {
    node.children!.delete(segment)
    if (node.children!.size === 0) node.children = undefined
  }
  return true
}
