// Attacks that hold what the server has, rather than ask for much: connections, memory, files. Each opens what it can, keeps it
// until it is told to stop, and says how much it holds. They come from an address of their own, as a stranger's would.

import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { Socket } from '../support/socket.js';

const STRANGER = '127.0.0.2';
const BYTE_EVERY_MS = 1_000;
// A server that has not answered by then holds the connection, or is held up.
const PATIENCE_MS = 20_000;
// How long the end of a connection is on its way.
const NOTICED_WITHIN_MS = 500;
const MIB = 1024 * 1024;

/** What an uploader announces. */
export const UPLOAD_SIZE = 5 * MIB;

const repeat = (count, text) => Array.from({ length: count }, (_, index) => text(index)).join(' ');
const SCHEMA = `{ ${repeat(29, (n) => `a${n}: __schema { types { name description fields { name description args { name }
  type { name kind ofType { name } } } } }`)} }`;
const LONG = '{ tickets(first: 100) { nodes { key description company { name } } } }';

const head = (method, path, lines) => [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...lines, '', ''].join('\r\n');

function post(query, token) {
  const body = JSON.stringify({ query });
  const lines = ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
  if (token) lines.push(`Authorization: Bearer ${token}`);
  return head('POST', '/graphql', lines) + body;
}

/** Connections that are opened at once, each of which sends something; `drip` is done with each again every second. */
class Wires {
  open = new Set();
  #timer = null;

  constructor(address) {
    [this.host, this.port] = address.split(':');
  }

  /** Opens a connection and sends a text. What comes is left where it is, or is waited for as far as its beginning. */
  connect(text, { isAnswered = false, reads = false } = {}) {
    return new Promise((resolve) => {
      const socket = net.connect({ host: this.host, port: Number(this.port), localAddress: STRANGER });
      const done = () => resolve(socket);
      // One that is not accepted stays in the line of the system.
      setTimeout(done, PATIENCE_MS).unref();
      if (isAnswered) socket.once('readable', done);
      else if (!reads) socket.pause();
      socket.on('connect', () => {
        this.open.add(socket);
        socket.write(text, () => isAnswered || done());
      });
      socket.on('error', done);
      socket.on('close', () => {
        this.open.delete(socket);
        done();
      });
    });
  }

  connectMany(count, text, options) {
    return Promise.all(Array.from({ length: count }, (_, n) => this.connect(typeof text === 'function' ? text(n) : text, options)));
  }

  drip(what) {
    this.#timer = setInterval(() => this.open.forEach((socket) => what(socket)), BYTE_EVERY_MS);
  }

  /** Ends all, and answers how many of them the server still had: of the others there is an end to read. */
  async stop() {
    clearInterval(this.#timer);
    this.open.forEach((socket) => socket.resume());
    await sleep(NOTICED_WITHIN_MS);
    const held = this.open.size;
    this.open.forEach((socket) => socket.destroy());
    return held;
  }
}

/** An attack of connections that each send the text. */
const wires = (count, text, { drip, ...options } = {}) => async ({ address, ...context }) => {
  const all = new Wires(address);
  await all.connectMany(count, typeof text === 'function' ? text(context) : text, options);
  if (drip) all.drip(drip);
  return { stop: async () => `${await all.stop()} of ${count}` };
};

const dripped = (socket) => socket.write('x');
const takesOneByte = (socket) => socket.read(1);

/** HTTP/2 from the first byte, with a window that lets no answer through. */
async function stalledStreams({ address }) {
  const sessions = [0, 1].map(() => http2.connect(`http://${address}`, { localAddress: STRANGER, settings: { initialWindowSize: 0 } }));
  const body = JSON.stringify({ query: SCHEMA });
  for (const session of sessions) {
    session.on('error', () => {});
    for (let stream = 0; stream < 50; stream += 1) {
      const request = session.request({ ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json' });
      request.on('error', () => {});
      request.end(body);
    }
  }
  await sleep(1_000);
  return {
    stop: () => {
      const held = sessions.filter((session) => !session.closed && !session.destroyed).length;
      sessions.forEach((session) => session.destroy());
      return `${held} of 2`;
    },
  };
}

/** Bodies that are refused, again and again; all of them must be told so. */
async function refusedBodies({ address }) {
  const all = new Wires(address);
  const text = head('POST', '/graphql', ['Content-Type: multipart/form-data; boundary=x', `Content-Length: ${MIB}`]);
  const body = Buffer.alloc(MIB, 'x');
  let [sent, told, goesOn] = [0, 0, true];
  const client = async () => {
    while (goesOn) {
      const socket = await all.connect(text, { reads: true });
      const answer = new Promise((resolve) => {
        let heard = '';
        socket.on('data', (data) => { heard += data; });
        socket.on('close', () => resolve(heard));
        socket.on('error', () => {});
      });
      // Like a program that sends first and reads then.
      await new Promise((resolve) => { socket.write(body, resolve); });
      socket.end();
      sent += 1;
      if ((await answer).startsWith('HTTP/1.1 415')) told += 1;
      // What the machine can carry is not what is measured.
      await sleep(BYTE_EVERY_MS);
    }
  };
  const clients = Array.from({ length: 60 }, client);
  return {
    stop: async () => {
      goesOn = false;
      await Promise.race([Promise.all(clients), sleep(PATIENCE_MS)]);
      await all.stop();
      return { held: `${told} of ${sent} told`, isFine: told === sent && sent > 0 };
    },
  };
}

/** Sockets that say nothing, and others that say at once who they are. */
async function sockets({ address, tokens }) {
  const open = (token) => Socket.connect(`ws://${address}/graphql/ws`, { localAddress: STRANGER }).then(async (socket) => {
    socket.raw.on('error', () => {});
    if (token) {
      socket.init(token);
      if ((await socket.next()).type !== 'connection_ack') throw new Error('it is not let in');
    }
    return socket;
  });
  const count = 300;
  const opened = await Promise.allSettled(Array.from({ length: count }, (_, n) => open(n % 2 ? tokens[n % tokens.length] : null)));
  const held = opened.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
  return {
    stop: () => {
      held.forEach((socket) => socket.end());
      return { held: `${held.length} of ${count} let in`, isFine: held.length === count };
    },
  };
}

/** Uploads at a byte a second, of what several people were allowed to upload, several files each. */
async function slowUploads({ address, uploads }) {
  const all = new Wires(address);
  const begin = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(UPLOAD_SIZE - 100)]);
  await all.connectMany(uploads.length, (n) => head('PUT', uploads[n], ['Content-Type: image/png', `Content-Length: ${UPLOAD_SIZE}`]));
  all.open.forEach((socket) => socket.write(begin));
  all.drip(dripped);
  return { stop: async () => `${await all.stop()} of ${uploads.length}` };
}

/** The attacks by name; the last word says whether a token is needed. */
const ALL = [
  ['1,100 connections that say nothing', wires(1_100, '')],
  ['1,100 connections with half a head', wires(1_100, 'GET /healthz HTTP/1.1\r\nHost: local', { drip: dripped })],
  ['1,100 connections with half an HTTP/2 preface', wires(1_100, 'PRI * HTTP/2')],
  ['heads of 30 KiB at a byte a second', wires(600, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(30_000)}`, { drip: dripped })],
  ['bodies of 250 KiB at a byte a second', wires(600,
    head('POST', '/graphql', ['Content-Type: application/json', 'Content-Length: 256000']) + ' '.repeat(250_000), { drip: dripped })],
  ['HTTP/2 streams whose window is 0, 29 × __schema', stalledStreams],
  ['answers that are not taken, 29 × __schema', wires(40, post(SCHEMA), { isAnswered: true })],
  ['answers of a megabyte that are not taken', wires(100, ({ tokens }) => post(LONG, tokens[0]), { isAnswered: true }), true],
  ['answers of a megabyte, taken byte by byte', wires(100, ({ tokens }) => post(LONG, tokens[0]), {
    isAnswered: true, drip: takesOneByte,
  }), true],
  ['uploads at a byte a second', slowUploads],
  ['multipart bodies of a megabyte', refusedBodies],
  ['300 sockets at once', sockets],
];

const wanted = new RegExp(process.env.CONFORMANCE_ONLY ?? '', 'i');

export const ATTACKS = ALL.filter(([name]) => wanted.test(name)).map(([name, begin, hasToken]) => ({ name, begin, hasToken }));
