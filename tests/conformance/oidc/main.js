// OpenID Connect against a real provider: logins, groups, audiences, expiry, and keys that are rotated or cannot be fetched.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { brief, Checks, part } from '../support/report.js';
import { Server } from '../support/server.js';
import { Socket } from '../support/socket.js';

const PROVIDER = join(dirname(fileURLToPath(import.meta.url)), 'provider.js');
const AUDIENCE = 'https://support.example.org';
// An issuer that did not answer is left alone for so long, and one that did not have a key.
const RETRY_AFTER_MS = 5_000;
const REFETCH_AFTER_MS = 30_000;
// A brief token lasts three seconds, and sockets are looked at every five.
const EXPIRED_WITHIN_MS = 15_000;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts the provider with a new key of this id; answers a way to end it. */
async function provider(port, keyId) {
  const child = spawn(process.execPath, [PROVIDER, port, keyId], { stdio: 'ignore' });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let attempt = 0; ; attempt += 1) {
    const there = await fetch(`http://127.0.0.1:${port}/.well-known/openid-configuration`).catch(() => null);
    if (there?.ok) break;
    assert.ok(attempt < 200, 'the provider does not start');
    await sleep(100);
  }
  return async () => {
    kill();
    await ended;
  };
}

/** A token of one of the provider's clients. */
async function token(issuer, client, resource = AUDIENCE) {
  const body = new URLSearchParams({
    grant_type: 'client_credentials', client_id: client, client_secret: 'for-tests-only', resource, scope: 'api',
  });
  const answer = await (await fetch(`${issuer}/token`, { method: 'POST', body })).json();
  assert.ok(answer.access_token, JSON.stringify(answer));
  return answer.access_token;
}

/** What the server says to a token: the status, who it is, and the first error's code. */
async function heard(server, bearer, query = '{ viewer { person { name } } }') {
  const response = await fetch(server.http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = await response.json();
  return [response.status, data?.viewer?.person?.name ?? errors?.[0]?.extensions?.code ?? 'data'].join(' ');
}

const LOG = '{ auditLog(first: 1) { nodes { id } } }';

await part(async (binary) => {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const server = await Server.start(binary, [
    '--oidc-issuer', issuer, '--oidc-audience', AUDIENCE, '--oidc-leeway', '0', '--oidc-groups', 'admins=administrator',
  ]);
  const opaque = await server.person('Login');
  for (const name of ['Brief', 'Unverified']) await server.person(name);
  const administrator = await server.person('Groupless', '--administrator');
  const checks = new Checks();
  const expect = (what, expected, bearer, query) =>
    checks.check(what, async () => assert.equal(await heard(server, await bearer(), query), expected));

  let stop = await provider(port, 'first');
  const early = await token(issuer, 'login');
  await stop();
  await expect('a provider that is away: try again', '503 UNAVAILABLE', () => early);
  await expect('our own tokens count meanwhile', '200 Login', () => opaque);
  await sleep(RETRY_AFTER_MS + 500);
  stop = await provider(port, 'second');
  await expect('a key that is not published any more', '401 UNAUTHENTICATED', () => early);
  await expect('an unverified mail address names nobody', '403 FORBIDDEN', () => token(issuer, 'unverified'));
  await expect('a login by verified mail', '200 Login', () => token(issuer, 'login'));
  await expect('a token for another audience', '401 UNAUTHENTICATED', () => token(issuer, 'login', 'https://other.example'));
  await expect('a group opens what it means', '200 data', () => token(issuer, 'login'), LOG);
  await expect('a role that is only stored does not count for it', '200 FORBIDDEN', () => token(issuer, 'groupless'), LOG);
  await expect('but for our own tokens', '200 data', () => administrator, LOG);
  await checks.check('a changed token', async () => {
    const [head, payload, signature] = (await token(issuer, 'login')).split('.');
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), sub: 'groupless' };
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    assert.equal(await heard(server, forged), '401 UNAUTHENTICATED');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
    assert.equal(await heard(server, `${none}.${payload}.`), '401 UNAUTHENTICATED');
  });
  await checks.check('an expired token, and the socket that it opened', async () => {
    const expiring = await token(issuer, 'brief');
    const socket = await Socket.open(server.ws, expiring);
    assert.equal((await socket.next(EXPIRED_WITHIN_MS)).code, 4403);
    assert.equal(await heard(server, expiring), '401 UNAUTHENTICATED');
  });
  const old = await token(issuer, 'login');
  await stop();
  await expect('known keys count while the provider is away', '200 Login', () => old);
  stop = await provider(port, 'third');
  await sleep(REFETCH_AFTER_MS + 500);
  await expect('a rotated key is found', '200 Login', () => token(issuer, 'login'));
  await expect('the one before counts no more', '401 UNAUTHENTICATED', () => old);
  await stop();

  const faults = server.faults();
  faults.forEach((line) => console.log(`in the log: ${brief(line, 300)}`));
  const { code } = await server.stop();
  return checks.report() && faults.length === 0 && code === 0;
});
