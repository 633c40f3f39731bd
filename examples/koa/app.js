// A Koa app that keeps notes in its memory; several of them share one port.
import { Readable } from 'node:stream'
import httpsys from '@httpsys/koa'
import Koa from 'koa'

const [, , prefix] = process.argv
const notes = []
const app = new Koa()

app.use(async (context, next) => {
  try {
    await next()
  } catch (error) {
    context.status = error.status ?? 500
    context.body = { error: error.message }
  }
})

app.use(async (context) => {
  const { method, path } = context
  if (method === 'POST' && path === '/notes') {
    const text = await bodyOf(context.req)
    if (text === '') context.throw(400, 'a note needs a text')
    notes.push(text)
    context.status = 201
  }
  if (path === '/notes') context.body = { process: process.pid, prefix: context.mountPath, notes }
  else if (path === '/notes.txt') context.body = Readable.from(notes.map((note) => `${note}\n`))
})

async function bodyOf(request) {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) text += chunk
  return text
}

const server = app.listen(httpsys.prefix(prefix), () =>
  console.log(`ready: http://localhost:${server.address().port}${prefix}notes`),
)
// What is under way is finished; what comes meanwhile waits for the next process.
process.on('SIGTERM', () => httpsys.retire(server))
