import type { AppName } from '../apps/app.ts'
import { APPS } from '../apps/app.ts'
import { HELLO } from '../apps/hello.ts'
import { httpsys } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import { node } from '../peers/node.ts'
import type { Scenario } from '../scenario.ts'
import { httpScenario } from './http-scenario.ts'

export const express = frameworkScenario('express')
export const koa = frameworkScenario('koa')
export const fastify = frameworkScenario('fastify')

function frameworkScenario(app: AppName): Scenario {
  return httpScenario({
    name: app,
    title: `${APPS[app].title} apps`,
    about: `The mix, with ${APPS[app].title} apps whose routes are below their prefix.`,
    app,
    peers: [node, httpsys, nginx],
    references: ['node', 'nginx'],
    answerBytes: HELLO.length,
  })
}
