// A hello app of a framework on a prefix, unmodified but for its `listen`: frameworks.mjs FRAMEWORK PREFIX
import { tell } from './control.mjs'

const [framework, prefix] = process.argv.slice(2)
const listening = () => tell('listening', { pid: process.pid })

const apps = {
  async express() {
    const { default: express } = await import('express')
    const { default: httpsys } = await import('@httpsys/express')
    const app = express()
    app.use(express.json())
    app.get('/:name', (request, response) => {
      response.json({ hello: request.params.name, baseUrl: request.baseUrl, originalUrl: request.originalUrl })
    })
    app.post('/sum', (request, response) => response.json({ sum: request.body.a + request.body.b }))
    app.listen(httpsys.prefix(prefix), listening)
  },
  async koa() {
    const { default: Koa } = await import('koa')
    const { default: httpsys } = await import('@httpsys/koa')
    const app = new Koa()
    app.use((context) => {
      context.body = { hello: context.path.slice(1), originalUrl: context.originalUrl }
    })
    app.listen(httpsys.prefix(prefix), listening)
  },
  async fastify() {
    const { default: Fastify } = await import('fastify')
    const { default: httpsys } = await import('@httpsys/fastify')
    const app = Fastify()
    app.get('/:name', (request) => ({ hello: request.params.name, originalUrl: request.originalUrl }))
    app.post('/sum', (request) => ({ sum: request.body.a + request.body.b }))
    await app.listen(httpsys.prefix(prefix))
    listening()
  },
}

await apps[framework]()
