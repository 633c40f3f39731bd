// One app. Arguments: its name (a file of ../apps), where it listens (`port`, `alone`, `prefix`), and its owner's number. Prints its
// port when it listens.
import type { ListenApp } from '../apps/app.ts'

const [name = '', where = '', owner = ''] = process.argv.slice(2)
const { listen } = (await import(`../apps/${name}.js`)) as { listen: ListenApp }
console.log(await listen({ owner, isShared: where === 'prefix', mount: where === 'alone' ? '/:owner' : '' }))
