// Workers of one app on one port, by node:cluster. Arguments: the app's name, and how many. Prints the port when all of them listen.
import cluster from 'node:cluster'
import type { ListenApp } from '../apps/app.ts'

const [name = '', workers = '8'] = process.argv.slice(2)

if (cluster.isPrimary) {
  let listening = 0
  cluster.on('listening', (_worker, address) => {
    if (++listening === Number(workers)) console.log(address.port)
  })
  for (let worker = 0; worker < Number(workers); worker++) cluster.fork()
} else {
  const { listen } = (await import(`../apps/${name}.js`)) as { listen: ListenApp }
  await listen({ owner: String(cluster.worker?.id), isShared: false, mount: '/:owner' })
}
