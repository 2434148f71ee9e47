// The npm package @urql/core. It sends short queries by GET.

import { Client, fetchExchange, subscriptionExchange } from '@urql/core';

import { client as sseClient } from './graphql_sse.js';
import { client as wsClient } from './graphql_ws.js';
import { walk } from './walk.js';

export async function urql(checks, office) {
  const ws = wsClient(office);
  await walk(checks, office, 'urql over graphql-ws', operations(office, forwarded(ws)));
  await ws.dispose();
  const sse = sseClient(office);
  await walk(checks, office, 'urql over graphql-sse', operations(office, forwarded(sse)));
  sse.dispose();
  await walk(checks, office, 'urql by its own fetch', operations(office, null));
}

function forwarded(client) {
  return subscriptionExchange({
    forwardSubscription: (request) => ({
      subscribe: (sink) => ({ unsubscribe: client.subscribe({ ...request, query: request.query ?? '' }, sink) }),
    }),
  });
}

function operations(office, subscriptions) {
  const client = new Client({
    url: office.server.http,
    exchanges: subscriptions ? [fetchExchange, subscriptions] : [fetchExchange],
    fetchSubscriptions: !subscriptions,
    fetchOptions: { headers: { authorization: `Bearer ${office.token}` } },
  });
  const data = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    ask: async (query, variables = {}) => {
      const isMutation = query.startsWith('mutation');
      return data(await (isMutation ? client.mutation(query, variables) : client.query(query, variables)).toPromise());
    },
    subscribe: (query, variables, { next, error }) => {
      const { unsubscribe } = client.subscription(query, variables).subscribe((result) => {
        if (result.error) error(result.error);
        else next(result.data);
      });
      return unsubscribe;
    },
  };
}
