import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH, ROOM_NAME_RULE } from './checks.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import type { Room } from './room.ts'

/** Which process serves the pages, and which others share its port. */
export interface Place {
  readonly process: number
  readonly pid: number
  readonly all: readonly number[]
}

/** The page of one room; all links are relative, so it works under any prefix. */
export function roomPage(place: Place, roomName: string, rooms: readonly Room[]): string {
  const main = html`<main class="room">
    <section class="talk" aria-label="Conversation">
      <div class="log" role="log" aria-live="polite" aria-label="Messages" tabindex="0"></div>
      <button class="latest" type="button" hidden>New messages ↓</button>
      <p class="typing" aria-hidden="true"></p>
      <div class="banner" role="status" hidden><span></span><button type="button">Try now</button></div>
      <form class="compose">
        <textarea
          rows="1"
          maxlength="${MAX_TEXT_LENGTH}"
          aria-label="Message"
          placeholder="Message ${roomName}"
          autofocus
        ></textarea>
        <span class="left" aria-live="polite"></span>
        <button class="primary">Send</button>
      </form>
    </section>
    <aside id="side" aria-label="People and rooms">
      <section>
        <h2>People</h2>
        <ul class="people"></ul>
      </section>
      <section>
        <h2><label for="name">Your name</label></h2>
        <form class="naming">
          <input type="text" id="name" maxlength="${MAX_NAME_LENGTH}" autocomplete="nickname" />
        </form>
      </section>
      <section>
        <h2>Rooms of process ${place.process}</h2>
        <ul class="rooms">
          ${roomLinks(rooms, roomName)}
        </ul>
        <a class="all" href="./">All rooms, and a new one</a>
      </section>
    </aside>
  </main>`
  const button = html`<button class="toggle" type="button" aria-expanded="false" aria-controls="side">
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="4.5" r="3.3" />
      <path d="M1.6 15a6.4 6.4 0 0 1 12.8 0z" />
    </svg>
    <span class="count">0</span><span class="sr">people here: show who</span>
  </button>`
  return page({ place, title: roomName, script: 'room.js', roomName, main, button })
}

/** The page that lists a process's rooms and opens new ones. */
export function lobbyPage(place: Place, rooms: readonly Room[], problem?: string): string {
  const main = html`<main class="lobby">
    <section class="card">
      <h2>Open a room</h2>
      <p class="lead">
        The rooms of process ${place.process} live in its memory alone, so each request for them must arrive here. The
        first part of the path says so: no proxy stands in front, and no process has a port of its own.
      </p>
      <form class="open" method="get" action="./">
        <input
          type="text"
          name="room"
          aria-label="Name of the room"
          placeholder="lobby"
          maxlength="40"
          pattern="[A-Za-z0-9][A-Za-z0-9_\\-]*"
          title="${ROOM_NAME_RULE}"
          autocapitalize="none"
          spellcheck="false"
          required
          autofocus
        />
        <button class="primary">Open room</button>
      </form>
      <p class="problem" role="alert">${problem ?? ''}</p>
      <ul class="rooms" aria-label="Rooms">
        ${roomLinks(rooms)}
      </ul>
      <p class="none">Nobody has opened one yet.</p>
    </section>
    <section class="card">
      <h2>Processes on this port</h2>
      <ul class="processes">
        ${place.all.map((process) => processCard(process, place))}
      </ul>
      <p class="lead">Kill one (<code>kill -9</code> and its pid) and watch: the others never notice.</p>
    </section>
  </main>`
  return page({ place, title: `Rooms of process ${place.process}`, script: 'lobby.js', roomName: '', main })
}

/** What a browser shows when there is no such page; `up` leads to the process's own, like `../`. */
export function errorPage(place: Place, up: string, status: number, problem: string): string {
  const main = html`<main class="lobby">
    <section class="card">
      <h2>${status}</h2>
      <p class="lead">${problem}.</p>
      <p><a href="${up}">Rooms of process ${place.process}</a></p>
    </section>
  </main>`
  return page({ place, title: String(status), roomName: '', main, up })
}

interface Parts {
  readonly place: Place
  readonly title: string
  readonly roomName: string
  readonly main: Html
  readonly script?: string
  readonly button?: Html
  readonly up?: string
}

function page({ place, title, roomName, main, script, button, up = './' }: Parts): string {
  const { process, pid, all } = place
  const links = all.map(
    (other) =>
      html`<li>
        <a
          href="${up}../${other}/${roomName}"
          data-process="${other}"
          ${other === process ? html`aria-current="true"` : ''}
          >${other}<span class="sr"> </span><span class="busy"></span
        ></a>
      </li>`,
  )
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · httpsys chat</title>
        <link rel="icon" href="${up}assets/icon.svg" />
        <link rel="stylesheet" href="${up}assets/theme.css" />
        <link rel="stylesheet" href="${up}assets/style.css" />
        ${script === undefined ? '' : html`<script type="module" src="${up}assets/${script}"></script>`}
      </head>
      <body data-process="${process}" data-room="${roomName}">
        <header>
          <a class="mark" href="${up}" title="Rooms of process ${process}">${process}<span class="sr"> rooms</span></a>
          <div class="where">
            <h1>${title}</h1>
            <p>served by process ${process} · pid <span class="pid">${pid}</span></p>
          </div>
          <nav aria-label="Processes on this port">
            <ul class="strip">
              ${links}
            </ul>
          </nav>
          ${button ?? ''}
        </header>
        ${main}
        <noscript
          ><p class="banner">The rooms are shown with JavaScript. Without it: <code>curl …/messages</code></p></noscript
        >
      </body>
    </html> `.text
}

function processCard(process: number, place: Place): Html {
  const isThis = process === place.process
  return html`<li data-process="${process}">
    <a href="../${process}/"><i>${process}</i><b>${isThis ? 'this process' : `process ${process}`}</b></a>
    <dl>
      <div>
        <dt>pid</dt>
        <dd class="pid">${isThis ? place.pid : '–'}</dd>
      </div>
      <div>
        <dt>rooms</dt>
        <dd class="number-of-rooms">–</dd>
      </div>
      <div>
        <dt>people</dt>
        <dd class="connections">–</dd>
      </div>
      <div>
        <dt>requests</dt>
        <dd class="requests">–</dd>
      </div>
    </dl>
  </li>`
}

function roomLinks(rooms: readonly Room[], current?: string): Html[] {
  return rooms.map(({ name, memberCount, history: { length } }) => {
    const mark = name === current ? html`aria-current="true"` : ''
    const counts = `${memberCount} here · ${length} message${length === 1 ? '' : 's'}`
    return html`<li>
      <a href="${name}" ${mark}><b>${name}</b> <span>${counts}</span></a>
    </li>`
  })
}
