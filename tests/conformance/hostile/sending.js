// Sends one hostile request and says what became of it: `{ status, code, ms }`.

import http from 'node:http';
import net from 'node:net';

import { Socket } from '../support/socket.js';

// Longer than the server may take for anything that it refuses at once.
const PATIENCE_MS = 20_000;
// A server that reads byte by byte without an end is one that hangs.
const SLOW_PATIENCE_MS = 70_000;
const ACCEPT = 'application/graphql-response+json, application/json;q=0.9';

/** Sends it from a connection of its own or, by `agent`, from one that is kept; `token` is whose it is, if anybody's. */
export async function send(request, { address, token, agent }) {
  const began = performance.now();
  const outcome = await HOW[request.by](request, { address, token, agent }).catch((error) => ({
    status: error.status ?? 'lost',
    code: error.code ?? error.message,
  }));
  return { ...outcome, ms: performance.now() - began };
}

/** Whether what became of it is what must. */
export function isAsItMust({ must }, { status, code }) {
  const refused = (status >= 400 && status < 500) || [1009, 1013].includes(status) || (status >= 4400 && status < 4500) || status === 'error';
  if (code === 'INTERNAL') return false;
  // What an argument must be is told by a resolver, beside data, and by the specification's rules with status 200.
  if (must === 'refuse') return refused || (status === 200 && code === 'BAD_INPUT');
  if (must === 'answer') return status === 200 && !code;
  return refused || status === 200;
}

const HOW = { http: byHttp, raw: byHand, socket: bySocket, handshake, flood, slow };

function byHttp({ method, path = '', headers, body }, { address, token, agent }) {
  return new Promise((resolve, reject) => {
    const all = { accept: ACCEPT, ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    if (body !== undefined && !all['transfer-encoding']) all['content-length'] = Buffer.byteLength(body);
    const request = http.request(`http://${address}/graphql${path}`, { method, headers: all, agent });
    request.setTimeout(PATIENCE_MS, () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve(told(response.statusCode, Buffer.concat(chunks).toString())));
      response.on('error', reject);
    });
    // An answer may come before everything is sent; then nobody reads the rest.
    request.end(body);
  });
}

/** The status, and the code of the first error in a JSON body or a stream of events. */
function told(status, text) {
  const event = /^data: *(\{.*)$/m.exec(text);
  let answer = null;
  try {
    answer = JSON.parse(event ? event[1] : text);
  } catch {
    // Some refusals are HTTP's own, without a body in JSON.
  }
  const code = answer?.errors?.[0] && (answer.errors[0].extensions?.code ?? answer.errors[0].message);
  // A stream is 200 whatever it tells; so it is the errors that say that it was refused.
  return event && answer?.errors ? { status: 'error', code } : { status, code };
}

function byHand({ text, rest }, { address, token }) {
  return exchange(address, (socket) => socket.write(withToken(text, token) + rest), PATIENCE_MS);
}

/** Sends the beginning, and then one byte a second. */
function slow({ text, rest }, { address, token }) {
  const send = (socket) => {
    socket.write(withToken(text, token));
    const timer = setInterval(() => socket.write(rest), 1_000);
    socket.once('close', () => clearInterval(timer));
  };
  return exchange(address, send, SLOW_PATIENCE_MS).then((outcome) =>
    // Closing without a word is an answer to someone who does not finish the sentence.
    outcome.status === 'closed' ? { status: 408, code: 'closed' } : outcome);
}

const withToken = (text, token) =>
  token ? text.replace('Host: localhost\r\n', `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`) : text;

function exchange(address, write, patience) {
  return new Promise((resolve) => {
    const [host, port] = address.split(':');
    const socket = net.connect(Number(port), host, () => write(socket));
    let heard = '';
    const finish = (outcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ status: 'none', code: `no answer in ${patience / 1000} s` }), patience);
    socket.on('data', (data) => {
      heard += data;
      const [start, body] = heard.split('\r\n\r\n');
      if (body !== undefined) finish(told(Number(start.split(' ')[1]), body));
    });
    socket.on('close', () => finish({ status: 'closed', code: 'closed' }));
    socket.on('error', (error) => finish({ status: 'closed', code: error.code }));
  });
}

async function bySocket({ payload, text }, { address, token }) {
  const socket = await Socket.open(`ws://${address}/graphql/ws`, token);
  socket.raw.on('error', () => {});
  try {
    socket.send(text ?? { type: 'subscribe', id: '1', payload });
    const heard = await socket.next(PATIENCE_MS);
    if (heard.type === 'close') return { status: heard.code, code: heard.reason };
    const errors = heard.type === 'error' ? heard.payload : heard.payload?.errors;
    const code = errors && (errors[0].extensions?.code ?? errors[0].message);
    return { status: heard.type === 'next' ? 200 : heard.type, code };
  } finally {
    socket.end();
  }
}

async function handshake({ origin }, { address }) {
  const socket = await Socket.connect(`ws://${address}/graphql/ws`, { origin });
  socket.end();
  return { status: 101, code: 'let in' };
}

/** Opens sockets until one is refused. */
async function flood({ count }, { address, token }) {
  const sockets = [];
  try {
    for (let open = 0; open < count; open += 1) {
      const socket = await Socket.connect(`ws://${address}/graphql/ws`);
      sockets.push(socket);
      socket.init(token);
      const heard = await socket.next();
      if (heard.type === 'close') return { status: heard.code, code: `after ${open}: ${heard.reason}` };
    }
    return { status: 101, code: `${count} let in` };
  } catch (error) {
    return { status: error.status ?? 'lost', code: `after ${sockets.length}: ${error.message}` };
  } finally {
    sockets.forEach((socket) => socket.end());
  }
}
