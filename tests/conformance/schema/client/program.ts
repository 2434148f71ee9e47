// A client as a front-end team would begin it, on generated types only. It is compiled, not run.

import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';

import { graphql } from './generated/index.js';
import { Stage, UserErrorCode, type CreateTicketInput, type PageQuery, type TicketFactsInput } from './generated/graphql.js';
import type { TicketPageQuery, TicketPageQueryVariables } from './operations.js';
import type { Ticket } from './schema.js';

const PAGE = graphql(`
  query Page($first: Int!, $after: String) {
    tickets(first: $first, after: $after) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        key
        subject
        stage
        createdAt
        sla {
          status
          dueAt
        }
      }
    }
  }
`);

const CREATE = graphql(`
  mutation Create($input: CreateTicketInput!) {
    createTicket(input: $input) {
      ticket {
        id
        key
        version
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`);

async function ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Promise<Data> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const answer = (await response.json()) as { data?: Data; errors?: { message: string }[] };
  if (!answer.data) throw new Error(answer.errors?.map((error) => error.message).join());
  return answer.data;
}

export async function openKeys(): Promise<string[]> {
  const keys: string[] = [];
  let after: string | null | undefined = null;
  do {
    const { tickets }: PageQuery = await ask(PAGE, { first: 50, after });
    for (const ticket of tickets.nodes) {
      if (ticket.stage !== Stage.ClosedResolved) keys.push(`${ticket.key}: ${ticket.subject}, since ${ticket.createdAt}`);
    }
    after = tickets.pageInfo.hasNextPage ? tickets.pageInfo.endCursor : null;
  } while (after);
  return keys;
}

export async function file(facts: TicketFactsInput, rest: Omit<CreateTicketInput, 'facts'>): Promise<string> {
  const { createTicket } = await ask(CREATE, { input: { ...rest, facts } });
  if (createTicket.ticket) return createTicket.ticket.key;
  const isMissing = createTicket.userErrors.some(({ code }) => code === UserErrorCode.MissingFields);
  throw new Error(isMissing ? 'fill in everything' : createTicket.userErrors.map(({ message }) => message).join());
}

export function totals(page: TicketPageQuery, { first }: TicketPageQueryVariables): string {
  return `${Math.min(first, page.tickets.nodes.length)} of ${page.tickets.totalCount}`;
}

// What the types must refuse.
// @ts-expect-error a page has a size
void ask(PAGE, { after: null });
// @ts-expect-error a ticket has facts
void ask(CREATE, { input: {} });

// The plain types of the whole schema, for what no document names.
export const deadline = (ticket: Pick<Ticket, 'sla' | 'estimatedDeliveryDate'>): string | null =>
  ticket.sla?.dueAt ?? ticket.estimatedDeliveryDate ?? null;
