// The clients that front ends use, unchanged: each asks, changes and subscribes; and what the protocols say of everything else.

import { Checks, part } from '../support/report.js';
import { Office } from '../support/office.js';
import { apollo } from './apollo.js';
import { graphqlSse } from './graphql_sse.js';
import { graphqlWs } from './graphql_ws.js';
import { events, sockets } from './protocol.js';
import { urql } from './urql.js';

await part(async (binary) => {
  const office = await Office.open(binary);
  const checks = new Checks();
  for (const client of [graphqlWs, graphqlSse, urql, apollo, events, sockets]) {
    await client(checks, office);
  }
  const isClean = await office.close();
  return checks.report() && isClean;
});
