// What the protocols of graphql-ws and graphql-sse say of messages that their clients do not send, message by message.

import assert from 'node:assert/strict';

import { CREATE_TICKET, TICKET_EVENTS } from '../support/office.js';
import { PROTOCOL, Socket } from '../support/socket.js';
import { VIEWER } from './walk.js';

// More than a message may have.
const TOO_LONG = 300 * 1024;
// More than anybody subscribes to on one socket.
const TOO_MANY = 1_000;
// Proxies close connections that are silent for a minute.
const PING_WITHIN_MS = 45_000;
// A client has so long for connection_init, and a revoked token so long to have an effect.
const INIT_WITHIN_MS = 20_000;
const REVOKED_WITHIN_MS = 15_000;
// A socket that must stay silent is watched for so long.
const SILENCE_MS = 1_000;

const VIEWER_DATA = { viewer: { person: { name: 'Ada', isAdministrator: true } } };

/** Messages after `connection_ack`, and the code with which the socket must be closed. */
const BROKEN = [
  ['text that is not JSON', '{"type": "ping"', 4400],
  ['a JSON array', [], 4400],
  ['a JSON string', '"ping"', 4400],
  ['JSON nested very deep', '['.repeat(50_000), 4400],
  ['a binary message', Buffer.from('{"type":"ping"}'), 4400],
  ['no type', { id: '1' }, 4400],
  ['a type that is not a string', { type: 7 }, 4400],
  ['an unknown type', { type: 'start', id: '1', payload: { query: VIEWER } }, 4400],
  ["a server's message", { type: 'next', id: '1', payload: {} }, 4400],
  ['connection_ack from a client', { type: 'connection_ack' }, 4400],
  ['subscribe without an id', { type: 'subscribe', payload: { query: VIEWER } }, 4400],
  ['subscribe with a blank id', { type: 'subscribe', id: '', payload: { query: VIEWER } }, 4400],
  ['subscribe with a number as id', { type: 'subscribe', id: 1, payload: { query: VIEWER } }, 4400],
  ['subscribe without a payload', { type: 'subscribe', id: '1' }, 4400],
  ['subscribe without a query', { type: 'subscribe', id: '1', payload: {} }, 4400],
  ['a query that is not a string', { type: 'subscribe', id: '1', payload: { query: 7 } }, 4400],
  ['variables that are a string', { type: 'subscribe', id: '1', payload: { query: VIEWER, variables: 'x' } }, 4400],
  ['an operationName that is a list', { type: 'subscribe', id: '1', payload: { query: VIEWER, operationName: [] } }, 4400],
  ['extensions that are a number', { type: 'subscribe', id: '1', payload: { query: VIEWER, extensions: 1 } }, 4400],
  ['complete without an id', { type: 'complete' }, 4400],
  ['a ping whose payload is a string', { type: 'ping', payload: 'x' }, 4400],
  ['a second connection_init', { type: 'connection_init' }, 4429],
];

const message = async (socket, expected) => assert.deepEqual(await socket.next(), expected);

export async function sockets(checks, office) {
  const { server, token } = office;
  // Watched from now on, asked for at the end.
  const pinged = heardPing(server.ws, token);
  const opened = (name, action) =>
    checks.check(`socket: ${name}`, async () => {
      const socket = await Socket.open(server.ws, token);
      try {
        await action(socket);
      } finally {
        socket.end();
      }
    });
  const connected = (name, options, action) =>
    checks.check(`socket: ${name}`, async () => {
      const socket = await Socket.connect(server.ws, options);
      try {
        await action(socket);
      } finally {
        socket.end();
      }
    });

  await handshake(checks, connected, server);
  for (const [name, sent, code] of BROKEN) {
    await opened(`${name} is answered with ${code}`, async (socket) => {
      socket.send(sent);
      assert.equal(await socket.closed(), code);
    });
  }
  await operations(opened, office);
  await limits(opened);
  await ends(checks, office);
  await checks.check('socket: the server pings', async () => assert.ok(await pinged), PING_WITHIN_MS / 1000);
  await checks.check('SIGTERM ends sockets with 1001, and streams of events', async () => {
    const stream = await eventStream(server, token);
    const socket = await Socket.open(server.ws, token);
    await socket.listen('1', TICKET_EVENTS);
    server.terminate();
    assert.equal(await socket.closed(), 1001);
    await stream.text();
  });
}

async function handshake(checks, connected, server) {
  const init = (payload) => ({ type: 'connection_init', payload });
  await connected('operations before connection_init are refused with 4401', {}, async (socket) => {
    socket.subscribe('1', VIEWER);
    assert.equal(await socket.closed(), 4401);
  });
  await connected('two connection_init at once are refused with 4429', {}, async (socket) => {
    socket.init();
    socket.init();
    assert.equal(await socket.closed(), 4429);
  });
  for (const [name, payload, code] of [
    ['an unknown token is refused with 4403', { Authorization: `Bearer secondline_${'x'.repeat(43)}` }, 4403],
    ['another scheme is refused with 4403', { Authorization: 'Basic YTpi' }, 4403],
    ['a token that is no string is refused with 4403', { Authorization: 7 }, 4403],
    ['a payload that is no object is refused with 4400', 'x', 4400],
  ]) {
    await connected(name, {}, async (socket) => {
      socket.send(init(payload));
      assert.equal(await socket.closed(), code);
    });
  }
  await connected('no connection_init in time is refused with 4408', {}, async (socket) => {
    assert.equal(await socket.closed(INIT_WITHIN_MS), 4408);
  });
  await connected('a ping before connection_init is answered', {}, (socket) => socket.pong());
  await connected('of several sub-protocols the one is taken', { protocols: ['graphql-ws', PROTOCOL] }, (socket) => {
    assert.equal(socket.raw.protocol, PROTOCOL);
  });
  await connected("the server's own origin is let in", { origin: `http://${server.address}` }, (socket) => socket.pong());

  const refused = (name, options, status) =>
    checks.check(`socket: ${name}`, async () => {
      const outcome = await Socket.connect(server.ws, options).then(
        async (socket) => ({ code: await socket.closed() }),
        (error) => ({ status: error.status, problem: error.message }),
      );
      assert.ok(outcome.code === 4406 || outcome.status === status, `${JSON.stringify(outcome)}, not ${status}`);
    });
  await refused('the legacy sub-protocol is refused', { protocols: ['graphql-ws'] }, 400);
  await refused('no sub-protocol is refused', { protocols: [] }, 400);
  for (const origin of ['https://evil.example', 'null', `http://${server.address}.evil.example`, 'http://127.0.0.1:1']) {
    await refused(`the origin ${origin} is refused`, { origin }, 403);
  }
}

async function operations(opened, office) {
  await opened('a query is answered with next and complete', async (socket) => {
    socket.subscribe('a', VIEWER);
    await message(socket, { type: 'next', id: 'a', payload: { data: VIEWER_DATA } });
    await message(socket, { type: 'complete', id: 'a' });
  });
  await opened('a mutation is answered with next and complete', async (socket) => {
    socket.subscribe('a', CREATE_TICKET, { input: office.ticket('By socket') });
    const { payload } = await socket.next();
    assert.equal(payload.data.createTicket.ticket.subject, 'By socket');
    await message(socket, { type: 'complete', id: 'a' });
  });
  for (const [name, query] of [
    ['an unknown field', '{ nobody }'],
    ['a syntax error', '{'],
    ['a subscription of two fields', 'subscription { a: ticketEvents { kind } b: ticketEvents { kind } }'],
  ]) {
    await opened(`${name} is answered with error, and the id is free again`, async (socket) => {
      socket.subscribe('a', query);
      const answer = await socket.next();
      assert.equal(answer.type, 'error');
      assert.equal(answer.id, 'a');
      assert.equal(typeof answer.payload[0].message, 'string');
      socket.subscribe('a', VIEWER);
      await message(socket, { type: 'next', id: 'a', payload: { data: VIEWER_DATA } });
    });
  }
  await opened('an id that is in use is refused with 4409', async (socket) => {
    await socket.listen('a', TICKET_EVENTS);
    socket.subscribe('a', VIEWER);
    assert.equal(await socket.closed(), 4409);
  });
  await opened('an id is free after the answer', async (socket) => {
    for (let turn = 0; turn < 3; turn += 1) {
      socket.subscribe('a', VIEWER);
      await message(socket, { type: 'next', id: 'a', payload: { data: VIEWER_DATA } });
      await message(socket, { type: 'complete', id: 'a' });
    }
  });
  await opened('complete ends a subscription in silence, and the id is free again', async (socket) => {
    await socket.listen('a', TICKET_EVENTS, { filter: { kinds: ['TICKET_CREATED'] } });
    socket.send({ type: 'complete', id: 'a' });
    await socket.pong();
    await office.file('Nobody listens');
    await assert.rejects(socket.next(SILENCE_MS), /no message/);
    await socket.listen('a', TICKET_EVENTS, { filter: { kinds: ['TICKET_CREATED'] } });
    await office.file('Somebody listens');
    const { type, id, payload } = await socket.next();
    assert.deepEqual([type, id, payload.data.ticketEvents.ticket.subject], ['next', 'a', 'Somebody listens']);
  });
  await opened("a client's close is answered in kind", async (socket) => {
    socket.raw.close(1000, 'Normal Closure');
    assert.equal(await socket.closed(), 1000);
  });
  await opened('two operations at once are told apart', async (socket) => {
    await socket.listen('a', TICKET_EVENTS);
    socket.subscribe('b', VIEWER);
    await message(socket, { type: 'next', id: 'b', payload: { data: VIEWER_DATA } });
    await message(socket, { type: 'complete', id: 'b' });
  });
  await opened('complete of an unknown id, pong and ping with payloads mean nothing', async (socket) => {
    socket.send({ type: 'complete', id: 'nobody' });
    socket.send({ type: 'pong' });
    socket.send({ type: 'pong', payload: { a: 1 } });
    socket.send({ type: 'ping', payload: { a: 1 } });
    assert.equal((await socket.next()).type, 'pong');
    await socket.pong();
  });
}

async function limits(opened) {
  await opened('a message that is too big is refused with 1009', async (socket) => {
    socket.raw.on('error', () => {});
    socket.send({ type: 'ping', payload: { x: 'x'.repeat(TOO_LONG) } });
    assert.equal(await socket.closed(), 1009);
  });
  await opened('too many subscriptions are refused one by one', async (socket) => {
    for (let id = 0; id < TOO_MANY; id += 1) socket.subscribe(`${id}`, TICKET_EVENTS);
    socket.send({ type: 'ping' });
    const refused = [];
    for (let heard = await socket.next(); heard.type !== 'pong'; heard = await socket.next()) {
      assert.equal(heard.type, 'error', JSON.stringify(heard));
      refused.push(Number(heard.id));
    }
    assert.ok(refused.length > 0, `${TOO_MANY} subscriptions are let pass`);
    assert.ok(!refused.includes(0), 'the first one was refused too');
  });
}

async function ends(checks, office) {
  const { server } = office;
  const revocable = async (name) => {
    const token = await server.token('ada@example.org', name);
    const line = (await server.command('token', 'list')).split('\n').find((row) => row.includes(name));
    const id = /access_token_[0-9a-f]{32}/.exec(line)[0];
    return { token, revoke: () => server.command('token', 'revoke', id) };
  };
  await checks.check('socket: revoking its token ends it with 4403', async () => {
    const { token, revoke } = await revocable('of a socket');
    const [one, two] = [await Socket.open(server.ws, token), await Socket.open(server.ws, office.token)];
    await one.listen('1', TICKET_EVENTS);
    await revoke();
    assert.equal(await one.closed(REVOKED_WITHIN_MS), 4403);
    await two.pong();
    two.end();
  });
  await checks.check('events: revoking its token ends the stream', async () => {
    const { token, revoke } = await revocable('of a stream');
    const stream = await eventStream(server, token);
    await revoke();
    await stream.text();
  });
}

/** A stream of events that goes on until the server ends it. */
async function eventStream(server, token) {
  const stream = await fetch(server.http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: TICKET_EVENTS }),
    signal: AbortSignal.timeout(REVOKED_WITHIN_MS),
  });
  assert.match(stream.headers.get('content-type'), /^text\/event-stream/);
  return stream;
}

/** Whether the server sends a ping, of either kind, on a socket that says nothing. */
async function heardPing(url, token) {
  const socket = await Socket.open(url, token);
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), PING_WITHIN_MS - 1_000).unref();
    socket.raw.on('ping', () => resolve(true));
    socket.raw.on('message', (data) => resolve(JSON.parse(data).type === 'ping'));
  }).finally(() => socket.end());
}

/** Server-sent events in the raw: what graphql-sse's document says of their form. */
export async function events(checks, office) {
  const { server, token } = office;
  const ask = (body, more = {}) =>
    fetch(server.http, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}`, ...more },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  const stream = async (body, more) => {
    const response = await ask(body, more);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    return parsed(await response.text());
  };
  await checks.check('events: a query is next and complete', async () => {
    assert.deepEqual(await stream({ query: VIEWER }), [
      { event: 'next', data: { data: VIEWER_DATA } },
      { event: 'complete', data: null },
    ]);
  });
  for (const [name, query] of [['an unknown field', '{ nobody }'], ['a syntax error', '{']]) {
    await checks.check(`events: ${name} is told by next, with status 200`, async () => {
      const [next, complete] = await stream({ query });
      assert.equal(next.event, 'next');
      assert.equal(typeof next.data.errors[0].message, 'string');
      assert.ok(!('data' in next.data));
      assert.equal(complete.event, 'complete');
    });
  }
  await checks.check('events: proxies are told not to keep them', async () => {
    const response = await ask({ query: VIEWER });
    assert.match(response.headers.get('cache-control') ?? '', /no-store|no-cache/);
    await response.body.cancel();
  });
  await checks.check('events: an unknown token is refused with 401', async () => {
    const response = await ask({ query: VIEWER }, { authorization: 'Bearer secondline_x' });
    assert.equal(response.status, 401);
    await response.body.cancel();
  });
  await checks.check('events: a subscription without text/event-stream is refused', async () => {
    const response = await ask({ query: TICKET_EVENTS }, { accept: 'application/json' });
    assert.match(response.headers.get('content-type'), /json/);
    assert.equal(typeof (await response.json()).errors[0].message, 'string');
  });
  await checks.check('events: a mutation by GET is refused with 405', async () => {
    const query = 'mutation { createCompany(input: { name: "By GET" }) { company { id } } }';
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
    const response = await fetch(`${server.http}?${new URLSearchParams({ query })}`, { headers });
    assert.equal(response.status, 405);
    await response.body.cancel();
  });
}

/** The events of a finished stream; comments are passed over. */
function parsed(text) {
  const blocks = text.split(/\r?\n\r?\n/).map((block) => block.split(/\r?\n/).filter((line) => line && !line.startsWith(':')));
  return blocks.filter((lines) => lines.length > 0).map((lines) => {
    const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
    const data = field('data').join('\n');
    return { event: field('event')[0], data: data ? JSON.parse(data) : null };
  });
}
