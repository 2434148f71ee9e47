// The npm package graphql-ws.

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { walk } from './walk.js';

/** A client with the administrator's token; `mend` may change its options. */
export function client(office, mend = {}) {
  return createClient({
    url: office.server.ws,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${office.token}` },
    retryAttempts: 0,
    ...mend,
  });
}

export async function graphqlWs(checks, office) {
  const ws = client(office);
  await walk(checks, office, 'graphql-ws', operations(ws));
  await ws.dispose();
}

/** What `walk` needs, of a client that has `subscribe(request, sink)`: those of graphql-ws and graphql-sse. */
export function operations(client) {
  const data = (result) => {
    if (result.errors) throw new Error(JSON.stringify(result.errors));
    return result.data;
  };
  return {
    ask: (query, variables) =>
      new Promise((resolve, reject) => {
        let answer;
        client.subscribe(
          { query, variables },
          { next: (result) => (answer = result), error: reject, complete: () => resolve(answer) },
        );
      }).then(data),
    subscribe: (query, variables, { next, error }) =>
      client.subscribe({ query, variables }, { next: (result) => next(data(result)), error, complete: () => {} }),
  };
}
