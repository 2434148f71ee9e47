// The GraphQL-over-HTTP specification, as the npm package graphql-http audits it. A warning or a notice (a SHOULD or a MAY that
// is not kept) is a failure here.

import { serverAudits } from 'graphql-http';

import { brief, part, table } from '../support/report.js';
import { Server } from '../support/server.js';

// The suite of this version has so many; fewer would mean that some were not asked.
const AUDITS = 61;

await part(async (binary) => {
  const server = await Server.start(binary);
  const rows = [];
  for (const audit of serverAudits({ url: server.http })) {
    let result;
    try {
      result = await audit.fn();
    } catch (error) {
      result = { status: 'error', reason: String(error) };
    }
    rows.push([result.status, audit.id, audit.name, result.status === 'ok' ? '' : brief(result.reason)]);
    await result.response?.body?.cancel().catch(() => {});
  }
  table(rows);
  const passed = rows.filter(([status]) => status === 'ok').length;
  console.log(`${passed} of ${rows.length} audits are ok`);
  const faults = server.faults();
  faults.forEach((line) => console.log(`in the log: ${line}`));
  await server.stop();
  return passed === AUDITS && rows.length === AUDITS && faults.length === 0;
});
