// A test of somebody's: supertest listens, and reads the address in the same tick.
import express from 'express'
import supertest from 'supertest'

const app = express().get('/asked', (request, response) => response.send(`port ${request.socket.localPort}`))
const { text } = await supertest(app)
  .get('/asked')
  .expect(200, /^port \d+$/)
console.log(text.startsWith('port') ? 'passed' : text)
