// The npm package @apollo/client: over HTTP and graphql-ws, and with automatic persisted queries.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';

import { client as wsClient } from './graphql_ws.js';
import { VIEWER, walk } from './walk.js';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export async function apollo(checks, office) {
  const ws = wsClient(office);
  const headers = { authorization: `Bearer ${office.token}` };
  const isSubscription = ({ query }) => getMainDefinition(query).operation === 'subscription';
  const http = new HttpLink({ uri: office.server.http, headers });
  await walk(checks, office, 'Apollo', operations(ApolloLink.split(isSubscription, new GraphQLWsLink(ws), http)));
  await ws.dispose();

  for (const method of ['POST', 'GET']) {
    const useGETForHashedQueries = method === 'GET';
    // What is really sent: whether the hash alone was enough.
    const sent = [];
    const watched = async (uri, options) => {
      const body = options.body ? JSON.parse(options.body) : Object.fromEntries(new URL(uri).searchParams);
      const response = await fetch(uri, options);
      sent.push({ method: options.method, query: body.query, status: response.status });
      return response;
    };
    const hashed = new PersistedQueryLink({ sha256, useGETForHashedQueries });
    const link = ApolloLink.from([hashed, new HttpLink({ uri: office.server.http, headers, fetch: watched })]);
    const { ask } = operations(link);
    await walk(checks, office, `Apollo with persisted queries by ${method}`, { ask });
    await checks.check(`Apollo with persisted queries by ${method}: the hash is enough the second time`, async () => {
      sent.length = 0;
      await ask(VIEWER);
      assert.deepEqual(sent, [{ method, query: undefined, status: 200 }]);
    });
  }
}

function operations(link) {
  const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: 'no-cache' } } });
  const data = (result) => {
    if (result.error) throw result.error;
    return result.data;
  };
  return {
    ask: async (document, variables) => {
      const isMutation = document.startsWith('mutation');
      const options = isMutation ? { mutation: gql(document), variables } : { query: gql(document), variables };
      return data(await (isMutation ? client.mutate(options) : client.query(options)));
    },
    subscribe: (document, variables, { next, error }) => {
      const watched = client.subscribe({ query: gql(document), variables, fetchPolicy: 'no-cache' });
      const subscription = watched.subscribe({ next: (result) => (result.error ? error(result.error) : next(result.data)), error });
      return () => subscription.unsubscribe();
    },
  };
}
