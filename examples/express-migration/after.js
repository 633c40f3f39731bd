import express from 'express'
import httpsys from '@httpsys/express'

const app = express()
const visits = new Map()

app.use(express.json())

app.get('/', (request, response) => {
  response.send('a plain Express app\n')
})

app.get('/visits/:name', (request, response) => {
  const { name } = request.params
  visits.set(name, (visits.get(name) ?? 0) + 1)
  response.json({ name, visits: visits.get(name) })
})

app.post('/echo', (request, response) => {
  response.status(201).json(request.body)
})

app.get('/fail', () => {
  throw new Error('no such luck')
})

app.use((error, request, response, _next) => {
  response.status(error.status ?? 500).json({ error: error.message })
})

const server = app.listen(httpsys.prefix('/shop/'), () => console.log('ready'))
process.on('SIGTERM', () => httpsys.retire(server))
