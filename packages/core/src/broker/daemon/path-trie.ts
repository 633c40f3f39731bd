import { PATH_PLAIN, foldSegment } from './path-readings.ts'
import type { PathShape } from './path-readings.ts'

interface Node<T> {
  value: T | undefined
  children: Map<string, Node<T>> | undefined
}

/**
 * Values by path, segment by segment, case-insensitive: a look-up costs as many steps as the match is deep, however many
 * paths there are.
 */
export class PathTrie<T extends object> {
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
    const segments = segmentsOf(path)
    const nodes = [this.#root]
    for (const segment of segments) {
      const child = nodes.at(-1)!.children?.get(segment)
      if (child === undefined) return false
      nodes.push(child)
    }
    const last = nodes.at(-1)!
    if (last.value === undefined) return false
    last.value = undefined
    for (let depth = segments.length; depth > 0; depth--) {
      const node = nodes[depth]!
      if (node.value !== undefined || node.children !== undefined) break
      const parent = nodes[depth - 1]!
      parent.children!.delete(segments[depth - 1]!)
      if (parent.children!.size === 0) parent.children = undefined
    }
    return true
  }

  /** The value of the longest stored path that a raw path begins with, segment by segment. */
  find(path: string, shape: PathShape): T | undefined {
    let node = this.#root
    let best = node.value
    let start = 1
    while (node.children !== undefined && start < path.length) {
      let end = path.indexOf('/', start)
      if (end === -1) end = path.length
      const segment = path.slice(start, end)
      const child = node.children.get(shape === PATH_PLAIN ? segment : foldSegment(segment))
      if (child === undefined) break
      if (child.value !== undefined) best = child.value
      node = child
      start = end + 1
    }
    return best
  }

  /** The same for segments that are in comparable form already. */
  findSegments(segments: readonly string[]): T | undefined {
    let node: Node<T> | undefined = this.#root
    let best = node.value
    for (const segment of segments) {
      node = node.children?.get(segment)
      if (node === undefined) break
      if (node.value !== undefined) best = node.value
    }
    return best
  }
}

/** Of a prefix's path, which has no escapes. */
function segmentsOf(path: string): string[] {
  return path.toLowerCase().split('/').slice(1, -1)
}
