// A WebSocket in the raw, to say what no client of good will says.

import WebSocket from 'ws';

export const PROTOCOL = 'graphql-transport-ws';
const PATIENCE_MS = 6_000;

export class Socket {
  #events = [];
  #waiting = null;

  /** Connects; rejects with `{ status }` when the server answers the upgrade with something else. */
  static connect(url, { protocols = [PROTOCOL], origin, headers, localAddress } = {}) {
    const socket = new Socket();
    socket.raw = new WebSocket(url, protocols, { origin, headers, localAddress, perMessageDeflate: false });
    socket.raw.on('message', (data, isBinary) => socket.#heard(isBinary ? { binary: true } : JSON.parse(data)));
    socket.raw.on('close', (code, reason) => socket.#heard({ type: 'close', code, reason: reason.toString() }));
    return new Promise((resolve, reject) => {
      socket.raw.on('open', () => resolve(socket));
      socket.raw.on('unexpected-response', (_, response) => {
        response.resume();
        socket.raw.terminate();
        reject(Object.assign(new Error(`the upgrade was answered with ${response.statusCode}`), {
          status: response.statusCode,
        }));
      });
      socket.raw.on('error', reject);
    });
  }

  /** Connects and is let in. */
  static async open(url, token, options) {
    const socket = await Socket.connect(url, options);
    socket.init(token);
    const message = await socket.next();
    if (message.type !== 'connection_ack') throw new Error(`expected connection_ack, heard ${JSON.stringify(message)}`);
    return socket;
  }

  #heard(event) {
    if (this.#waiting) {
      this.#waiting(event);
      this.#waiting = null;
    } else {
      this.#events.push(event);
    }
  }

  init(token) {
    this.send({ type: 'connection_init', payload: token ? { Authorization: `Bearer ${token}` } : undefined });
  }

  subscribe(id, query, variables) {
    this.send({ type: 'subscribe', id, payload: { query, variables } });
  }

  /** Subscribes, and makes sure that the server did so: it answers messages in their order. */
  async listen(id, query, variables) {
    this.subscribe(id, query, variables);
    await this.pong();
  }

  /** Sends a ping, and waits for its pong. */
  async pong() {
    this.send({ type: 'ping' });
    const message = await this.next();
    if (message.type !== 'pong') throw new Error(`expected pong, heard ${JSON.stringify(message)}`);
  }

  /** Sends a message: text and bytes as they are, anything else as JSON. */
  send(message) {
    const asItIs = typeof message === 'string' || message instanceof Uint8Array;
    this.raw.send(asItIs ? message : JSON.stringify(message));
  }

  /** The next message, or `{ type: 'close', code, reason }`; pings of the server are passed over. */
  async next(withinMs = PATIENCE_MS) {
    const event = this.#events.shift() ?? (await this.#wait(withinMs));
    return event.type === 'ping' ? this.next(withinMs) : event;
  }

  #wait(withinMs) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = null;
        reject(new Error(`no message within ${withinMs} ms`));
      }, withinMs);
      this.#waiting = (event) => {
        clearTimeout(timer);
        resolve(event);
      };
    });
  }

  /** The code with which the server closes; what it says before is passed over. */
  async closed(withinMs = PATIENCE_MS) {
    for (;;) {
      const event = await this.next(withinMs);
      if (event.type === 'close') return event.code;
    }
  }

  end() {
    this.raw.terminate();
  }
}
