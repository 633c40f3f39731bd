// SIGTERM closes the server, and then the process is busy until the file GO_ON is there, for a minute at most.
const { existsSync, writeSync } = require('node:fs')
const http = require('node:http')

const server = http.createServer().listen(process.env.PORT, () => console.log('ready'))
process.on('SIGTERM', () => {
  server.close()
  writeSync(1, 'closed\n')
  const cell = new Int32Array(new SharedArrayBuffer(4))
  for (let left = 6000; left > 0 && !existsSync(process.env.GO_ON); left--) Atomics.wait(cell, 0, 0, 10)
})
