// What every client does: a query, a mutation and a subscription, with their values.

import assert from 'node:assert/strict';

import { CREATE_TICKET, TICKET_EVENTS } from '../support/office.js';

export const VIEWER = 'query Viewer { viewer { person { name isAdministrator } } }';
// Subscribing has no answer; until the server listens, tickets are filed again.
const FILE_AGAIN_MS = 500;

let filed = 0;

/**
 * Checks a client. `ask(document, variables)` answers a promise of data, `subscribe(document, variables, sink)` calls
 * `sink.next(data)` and `sink.error(error)`, and answers a function that ends the subscription.
 */
export async function walk(checks, office, name, { ask, subscribe }) {
  await checks.check(`${name}: query`, async () => {
    assert.deepEqual(plain(await ask(VIEWER)), { viewer: { person: { name: 'Ada', isAdministrator: true } } });
  });
  await checks.check(`${name}: mutation`, async () => {
    const subject = `${name} ${(filed += 1)}`;
    const { createTicket } = plain(await ask(CREATE_TICKET, { input: office.ticket(subject) }));
    assert.deepEqual(createTicket.userErrors, []);
    assert.equal(createTicket.ticket.subject, subject);
    assert.match(createTicket.ticket.key, /^L2-\d+$/);
  });
  if (subscribe) await checks.check(`${name}: subscription`, () => hears(office, name, subscribe));
}

/** Succeeds when the subscription hears of a ticket that is filed by somebody else. */
async function hears(office, name, subscribe) {
  const subject = `${name} event ${(filed += 1)}`;
  let end;
  let again;
  try {
    const data = await new Promise((resolve, reject) => {
      const next = (heard) => heard.ticketEvents.ticket?.subject === subject && resolve(plain(heard));
      end = subscribe(TICKET_EVENTS, { filter: { kinds: ['TICKET_CREATED'] } }, { next, error: reject });
      again = setInterval(() => office.file(subject).catch(reject), FILE_AGAIN_MS);
    });
    assert.equal(data.ticketEvents.kind, 'TICKET_CREATED');
    assert.match(data.ticketEvents.ticket.key, /^L2-\d+$/);
  } finally {
    clearInterval(again);
    end?.();
  }
}

/** The data without what clients add to it: `__typename`, and prototypes. */
function plain(data) {
  return JSON.parse(JSON.stringify(data, (key, value) => (key === '__typename' ? undefined : value)));
}
