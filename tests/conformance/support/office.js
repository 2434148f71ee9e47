// A server with something in it: an administrator, a company with a contact, and a way to file tickets.

import { brief } from './report.js';
import { Server } from './server.js';

// One fault is often told many times.
const FAULTS_SHOWN = 5;

export const CREATE_TICKET = `mutation CreateTicket($input: CreateTicketInput!) {
  createTicket(input: $input) { ticket { id key subject } userErrors { code field message } }
}`;
export const TICKET_EVENTS = `subscription TicketEvents($filter: TicketEventFilter) {
  ticketEvents(filter: $filter) { kind ticket { key subject } }
}`;

export class Office {
  static async open(binary, options, limits) {
    const office = new Office();
    office.server = await Server.start(binary, options, limits);
    office.token = await office.server.person('Ada', '--administrator', '--team', 'operations');
    const ask = (query, variables) => office.server.ask(office.token, query, variables);
    const { createCompany } = await ask('mutation { createCompany(input: { name: "Acme" }) { company { id } } }');
    office.companyId = createCompany.company.id;
    const { createContact } = await ask(
      'mutation($input: CreateContactInput!) { createContact(input: $input) { contact { id } userErrors { message } } }',
      { input: { companyId: office.companyId, name: 'Ana', email: 'ana@acme.example' } },
    );
    office.contactId = createContact.contact.id;
    const { ticketSubtypes } = await ask('{ ticketSubtypes(category: BUGS_DEFECTS) { id } }');
    office.subtypeId = ticketSubtypes[0].id;
    return office;
  }

  /** The input of `createTicket` for a ticket with this subject. */
  ticket(subject, description = 'It ends early.') {
    return {
      companyId: this.companyId,
      contactId: this.contactId,
      facts: { subject, description, category: 'BUGS_DEFECTS', subtypeId: this.subtypeId },
    };
  }

  /** Files a ticket; answers it. */
  async file(subject, description) {
    const input = this.ticket(subject, description);
    const { createTicket } = await this.server.ask(this.token, CREATE_TICKET, { input });
    if (!createTicket.ticket) throw new Error(JSON.stringify(createTicket.userErrors));
    return createTicket.ticket;
  }

  /** Ends the server; says and answers whether it was without a fault. */
  async close() {
    const faults = this.server.faults();
    faults.slice(0, FAULTS_SHOWN).forEach((line) => console.log(`in the log: ${brief(line, 300)}`));
    if (faults.length > FAULTS_SHOWN) console.log(`and ${faults.length - FAULTS_SHOWN} more of them`);
    const { code, signal } = await this.server.stop();
    if (code !== 0) console.log(`the server ended with ${signal ?? `code ${code}`}`);
    return faults.length === 0 && code === 0;
  }
}
