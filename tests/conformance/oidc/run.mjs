// Proves logins, expiry and key rotation of BINARY against a real provider. Usage: node run.mjs BINARY
import { execFileSync, spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const binary = process.argv[2];
const audience = 'https://support.example.com';
const data = mkdtempSync(join(tmpdir(), 'secondline-oidc-'));
const running = [];

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

async function until(what, check) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      if (await check()) return;
    } catch { /* not there yet */ }
    await sleep(100);
  }
  throw new Error(`${what} did not come`);
}

function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  running.push(child);
  return child;
}

async function provider(port, keyId) {
  const child = start(process.execPath, [join(import.meta.dirname, 'server.mjs'), port, keyId, audience]);
  await until('the provider', async () => (await fetch(`http://127.0.0.1:${port}/.well-known/openid-configuration`)).ok);
  return child;
}

async function stop(child) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await ended;
}

async function token(issuer, client) {
  const body = new URLSearchParams({
    grant_type: 'client_credentials', client_id: client, client_secret: 'for-tests-only', resource: audience, scope: 'api',
  });
  const answer = await (await fetch(`${issuer}/token`, { method: 'POST', body })).json();
  assert.ok(answer.access_token, JSON.stringify(answer));
  return answer.access_token;
}

async function viewer(api, bearer) {
  const response = await fetch(`${api}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
    body: JSON.stringify({ query: '{ viewer { person { name isAdministrator } } }' }),
  });
  const { data: found, errors } = await response.json();
  return { status: response.status, name: found?.viewer?.person?.name, code: errors?.[0]?.extensions?.code };
}

const expect = async (what, api, bearer, wanted) => {
  const { status, name, code } = await viewer(api, bearer);
  assert.deepEqual({ status, name, code }, { name: undefined, code: undefined, ...wanted }, what);
  console.log(`ok: ${what}`);
};

try {
  const [issuerPort, apiPort] = [await freePort(), await freePort()];
  const [issuer, api] = [`http://127.0.0.1:${issuerPort}`, `http://127.0.0.1:${apiPort}`];
  const here = ['--data-dir', data];
  execFileSync(binary, ['migrate', ...here]);
  execFileSync(binary, ['person', 'add', ...here, '--name', 'Ada Lovelace', '--email', 'ada@example.com']);
  const opaque = execFileSync(binary, ['token', 'create', ...here, '--person', 'ada@example.com', '--name', 'x']).toString().trim();
  start(binary, ['serve', ...here, '--listen', `127.0.0.1:${apiPort}`, '--oidc-issuer', issuer,
    '--oidc-audience', audience, '--oidc-leeway', '0', '--oidc-groups', 'admins=administrator']);
  await until('the server', async () => (await fetch(`${api}/readyz`)).ok);

  const first = await provider(issuerPort, 'first');
  const bearer = await token(issuer, 'login');
  await stop(first);
  await expect('the provider is away: 503', api, bearer, { status: 503, code: 'UNAVAILABLE' });
  await expect('our own tokens count meanwhile', api, opaque, { status: 200, name: 'Ada Lovelace' });
  await sleep(5_500);
  const second = await provider(issuerPort, 'second');
  await expect('a key that is not published any more: 401', api, bearer, { status: 401, code: 'UNAUTHENTICATED' });
  await expect('an unverified mail address names nobody: 403', api, await token(issuer, 'unverified'),
    { status: 403, code: 'FORBIDDEN' });
  await expect('a login by verified mail', api, await token(issuer, 'login'), { status: 200, name: 'Ada Lovelace' });
  const brief = await token(issuer, 'brief');
  await sleep(2_000);
  await expect('an expired token: 401', api, brief, { status: 401, code: 'UNAUTHENTICATED' });
  const old = await token(issuer, 'login');
  await stop(second);
  await expect('known keys count while the provider is away', api, old, { status: 200, name: 'Ada Lovelace' });
  await provider(issuerPort, 'third');
  await sleep(30_500);
  await expect('a rotated key is found', api, await token(issuer, 'login'), { status: 200, name: 'Ada Lovelace' });
  await expect('the one before is gone: 401', api, old, { status: 401, code: 'UNAUTHENTICATED' });
} finally {
  for (const child of running) child.kill();
  await sleep(500);
  rmSync(data, { recursive: true, force: true });
}
