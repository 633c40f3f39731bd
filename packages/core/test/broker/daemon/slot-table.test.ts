import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlotTable } from '../../../src/broker/daemon/slot-table.ts'
import { MAX_SLOTS, SLOT_MASK } from '../../../src/broker/protocol/limits.ts'

describe('SlotTable', () => {
  test('finds a value under its id until it is deleted', () => {
    const table = new SlotTable<string>()
    const a = table.add('a')
    const b = table.add('b')
    expect([table.get(a), table.get(b), table.size]).toEqual(['a', 'b', 2])
    table.delete(a)
    expect([table.get(a), table.get(b), table.size]).toEqual([undefined, 'b', 1])
    expect(table.values()).toEqual(['b'])
  })

  test.each([0, 1, 12_345, SLOT_MASK, 0xffff_ffff])('finds nothing under an id that it never gave out: %i', (id) => {
    const table = new SlotTable<string>()
    expect(table.get(id)).toBeUndefined()
    table.delete(id)
    expect([table.size, table.values()]).toEqual([0, []])
  })

  test('deleting twice frees a slot once', () => {
    const table = new SlotTable<number>()
    const ids = Array.from({ length: 600 }, (_, index) => table.add(index))
    for (const id of ids) table.delete(id)
    for (const id of ids) table.delete(id)
    expect(table.size).toBe(0)
    const again = Array.from({ length: 1200 }, (_, index) => table.add(index))
    expect(again.map((id) => table.get(id))).toEqual(Array.from({ length: 1200 }, (_, index) => index))
    expect(table.size).toBe(1200)
  })

  test('misses with the id of an earlier use of a slot, also when deleting', () => {
    const table = new SlotTable<string>()
    const old = table.add('old')
    table.delete(old)
    let id = old
    while ((id & SLOT_MASK) !== (old & SLOT_MASK) || id === old) {
      id = table.add('new')
      if ((id & SLOT_MASK) !== (old & SLOT_MASK)) table.delete(id)
    }
    table.delete(old)
    expect([table.get(old), table.get(id)]).toEqual([undefined, 'new'])
  })

  test('gives no id twice in a million uses, and no id beyond 31 bits', () => {
    const table = new SlotTable<string>()
    const seen = new Set<number>()
    // The last of them come after the generations have begun again.
    for (let use = 0; use < 1_100_000; use++) {
      const id = table.add('value')
      if (id < 0 || id > 0x7fff_ffff || !Number.isInteger(id)) throw new Error(`id ${id}`)
      if (table.get(id) !== 'value') throw new Error(`nothing under ${id}`)
      if (use < 1_000_000) seen.add(id)
      table.delete(id)
    }
    expect(seen.size).toBe(1_000_000)
    expect(Math.max(...Array.from(seen, (id) => id & SLOT_MASK).slice(-1000))).toBeLessThan(1000)
  })

  test('is full with a value in every slot, and takes one more for each that goes', () => {
    const table = new SlotTable<number>()
    for (let index = 0; index < MAX_SLOTS; index++) table.add(index)
    expect([table.add(-1), table.size]).toEqual([-1, MAX_SLOTS])
    table.delete(5)
    const id = table.add(-2)
    expect([id & SLOT_MASK, table.get(id), table.add(-3)]).toEqual([5, -2, -1])
  })

  test('does what a map under ever new ids does', () => {
    const property = fc.property(fc.array(fc.nat({ max: 2000 }), { maxLength: 2000 }), (choices) => {
      const table = new SlotTable<number>()
      const model = new Map<number, number>()
      const gone: number[] = []
      for (const [index, choice] of choices.entries()) {
        const ids = [...model.keys()]
        if (choice % 2 === 0 || ids.length === 0) {
          const id = table.add(index)
          if (model.has(id) || gone.includes(id)) throw new Error(`id ${id} came again`)
          model.set(id, index)
        } else {
          const id = ids[choice % ids.length]!
          table.delete(id)
          model.delete(id)
          gone.push(id)
        }
      }
      for (const [id, value] of model) if (table.get(id) !== value) throw new Error(`lost ${id}`)
      for (const id of gone) if (table.get(id) !== undefined) throw new Error(`found ${id}`)
      expect(table.size).toBe(model.size)
      expect(table.values().sort((a, b) => a - b)).toEqual([...model.values()].sort((a, b) => a - b))
    })
    fc.assert(property, { numRuns: 60, interruptAfterTimeLimit: 5000 })
  })
})
