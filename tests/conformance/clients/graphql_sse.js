// The npm package graphql-sse, in distinct connections mode: each operation is a request of its own.

import { createClient } from 'graphql-sse';

import { operations } from './graphql_ws.js';
import { walk } from './walk.js';

/** A client with the administrator's token. */
export function client(office, mend = {}) {
  return createClient({
    url: office.server.http,
    headers: { authorization: `Bearer ${office.token}` },
    retryAttempts: 0,
    ...mend,
  });
}

/** Sends what the client posts by GET, as a browser's EventSource does. */
function byGet(url, { body, headers, ...rest }) {
  const { 'content-type': _, ...others } = headers;
  const { query, variables = {} } = JSON.parse(body);
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  return fetch(`${url}?${parameters}`, { ...rest, method: 'GET', headers: others });
}

export async function graphqlSse(checks, office) {
  const post = client(office);
  await walk(checks, office, 'graphql-sse by POST', operations(post));
  post.dispose();

  const get = client(office, { fetchFn: byGet });
  const { ask, subscribe } = operations(get);
  // Mutations are never made by GET; the one of this walk is posted.
  const mixed = (query, variables) => (query.startsWith('mutation') ? operations(client(office)).ask : ask)(query, variables);
  await walk(checks, office, 'graphql-sse by GET', { ask: mixed, subscribe });
  get.dispose();
}

