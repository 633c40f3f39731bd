// NestJS on a prefix. Written without decorators, so that it runs as it is; with TypeScript they are the usual ones.
import 'reflect-metadata'
import { Controller, Get, Injectable, Module, Param } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import httpsys from '@httpsys/express'

class Rooms {
  #visits = new Map()

  enter(name) {
    this.#visits.set(name, (this.#visits.get(name) ?? 0) + 1)
    return { room: name, visits: this.#visits.get(name), process: process.pid }
  }
}
Injectable()(Rooms)

class RoomsController {
  constructor(rooms) {
    this.rooms = rooms
  }

  enter(name) {
    return this.rooms.enter(name)
  }
}
Controller('rooms')(RoomsController)
Reflect.defineMetadata('design:paramtypes', [Rooms], RoomsController)
Get(':name')(RoomsController.prototype, 'enter', Object.getOwnPropertyDescriptor(RoomsController.prototype, 'enter'))
Param('name')(RoomsController.prototype, 'enter', 0)

class AppModule {}
Module({ controllers: [RoomsController], providers: [Rooms] })(AppModule)

const app = await NestFactory.create(AppModule, { logger: ['error'] })
await app.init()
const server = app.getHttpServer().listen(httpsys.prefix('/nest/'), () => console.log('ready'))
process.on('SIGTERM', () => {
  httpsys.retire(server)
  void app.close()
})
