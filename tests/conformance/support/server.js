// A Secondline of our own: a fresh database in a temporary folder, people and tokens made by its command line, and its log.

import { execFile, spawn } from 'node:child_process';
import http from 'node:http';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const START_WITHIN_MS = 60_000;
// Requests under way may take 30 seconds to end.
const STOP_WITHIN_MS = 45_000;
// What the log says once requests are accepted, and the colours that may stand around it.
const LISTENING = /http\.address=\S*?(\d+\.\d+\.\d+\.\d+:\d+)/;
const COLOURS = /\x1b\[[0-9;]*m/g;

const run = promisify(execFile);

/** The environment without settings that are meant for another server. */
function environment() {
  const foreign = ([name]) => !name.startsWith('SECONDLINE_') && name !== 'DATABASE_URL';
  return Object.fromEntries(Object.entries(process.env).filter(foreign));
}

export class Server {
  /** Starts the binary and waits until it listens; `options` are more flags of `serve`, `files` how many it may open. */
  static async start(binary, options = [], { files } = {}) {
    const server = new Server();
    server.binary = binary;
    server.folder = await mkdtemp(join(tmpdir(), 'secondline-conformance-'));
    const flags = ['serve', '--listen', '127.0.0.1:0', '--data-dir', server.folder, '--log-format', 'text', ...options];
    const limited = ['sh', '-c', `ulimit -n ${files} && exec "$0" "$@"`, binary];
    const [program, ...words] = [...(files ? limited : [binary]), ...flags];
    server.process = spawn(program, words, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    server.ended = new Promise((resolve) => server.process.once('exit', (code, signal) => resolve({ code, signal })));
    // Whatever ends this program ends its server.
    server.kill = () => server.process.kill('SIGKILL');
    process.once('exit', server.kill);
    server.log = [];
    server.address = await server.#listening();
    server.http = `http://${server.address}/graphql`;
    server.ws = `ws://${server.address}/graphql/ws`;
    return server;
  }

  #listening() {
    return new Promise((resolve, reject) => {
      const give_up = (why) => reject(new Error(`the server ${why}; it said:\n${this.log.join('\n')}`));
      const timer = setTimeout(() => give_up('does not listen'), START_WITHIN_MS);
      this.ended.then(() => give_up('ended'));
      for (const stream of [this.process.stdout, this.process.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          const text = line.replace(COLOURS, '');
          this.log.push(text);
          const found = LISTENING.exec(text);
          if (found) {
            clearTimeout(timer);
            resolve(found[1]);
          }
        });
      }
    });
  }

  /** Runs a command of the binary on the same database; answers what it printed. */
  async command(...words) {
    const { stdout } = await run(this.binary, [...words, '--data-dir', this.folder], { env: environment() });
    return stdout.trim();
  }

  /** Adds a member of staff; answers their token. `flags` are those of `person add`. */
  async person(name, ...flags) {
    const email = `${name.toLowerCase()}@example.org`;
    await this.command('person', 'add', '--name', name, '--email', email, ...flags);
    return this.token(email, name);
  }

  /** Makes one more token of a member of staff. */
  token(email, name) {
    return this.command('token', 'create', '--person', email, '--name', name);
  }

  /** Sends an ordinary request; answers its data, or throws. */
  async ask(token, query, variables = {}) {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    const response = await fetch(this.http, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const answer = await response.json();
    if (answer.errors) throw new Error(`${response.status} ${JSON.stringify(answer.errors)} for ${query}`);
    return answer.data;
  }

  /** Whether the process lives and answers whoever comes new. */
  isAlive() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return false;
    return new Promise((resolve) => {
      const health = http.get(`http://${this.address}/healthz`, { agent: false, timeout: 10_000 });
      health.on('response', (response) => resolve(response.resume().statusCode === 200));
      health.on('error', () => resolve(false));
      health.on('timeout', () => health.destroy());
    });
  }

  /** How much memory the process has had at most, in MiB; 0 where that is not told. */
  peakMemory() {
    return this.#memory('VmHWM');
  }

  /** How much memory the process has, in MiB, and how many files it has open; 0 where that is not told. */
  async resources() {
    const files = await readdir(`/proc/${this.process.pid}/fd`).catch(() => []);
    return { memory: await this.#memory('VmRSS'), files: files.length };
  }

  async #memory(field) {
    const status = await readFile(`/proc/${this.process.pid}/status`, 'utf8').catch(() => '');
    return Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024);
  }

  /** The lines of the log that tell of a fault of the server's own. */
  faults() {
    return this.log.filter((line) => /panicked at|stack overflow|^\S+ +ERROR/.test(line));
  }

  /** Asks it to end in order, once: a second signal would end it at once. */
  terminate() {
    this.isEnding ||= this.process.kill('SIGTERM');
  }

  /** Ends it in order and removes its folder; answers how it ended. */
  async stop() {
    this.terminate();
    const timer = setTimeout(this.kill, STOP_WITHIN_MS);
    const end = await this.ended;
    clearTimeout(timer);
    process.off('exit', this.kill);
    await rm(this.folder, { recursive: true, force: true });
    return end;
  }
}
