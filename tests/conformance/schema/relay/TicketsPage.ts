// A list that loads more, and a row that refetches itself by `node`.
import { graphql } from 'relay-runtime';

graphql`
  query TicketsPageQuery($first: Int!) {
    ...TicketsPage_query @arguments(first: $first)
  }
`;

graphql`
  fragment TicketsPage_query on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" })
  @refetchable(queryName: "TicketsPagePaginationQuery") {
    tickets(first: $first, after: $after) @connection(key: "TicketsPage_tickets") {
      totalCount
      edges {
        node {
          id
          ...TicketsPage_row
        }
      }
    }
  }
`;

graphql`
  fragment TicketsPage_row on Ticket @refetchable(queryName: "TicketsPageRowQuery") {
    key
    subject
    stage
    company {
      name
    }
    sla {
      status
      dueAt
    }
  }
`;

graphql`
  mutation TicketsPageCreateMutation($input: CreateTicketInput!) {
    createTicket(input: $input) {
      ticket {
        ...TicketsPage_row
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`;

graphql`
  subscription TicketsPageEventsSubscription($filter: TicketEventFilter) {
    ticketEvents(filter: $filter) {
      kind
      happenedAt
      ticket {
        ...TicketsPage_row
      }
    }
  }
`;

graphql`
  query TicketsPageNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      ...TicketsPage_row @alias
    }
  }
`;
