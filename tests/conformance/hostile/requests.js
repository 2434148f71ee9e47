// Hostile requests, by kind. Each has a `name`, how it is sent (`by`), and what must become of it (`must`): `refuse` is a status
// of 400 to 499 (over a socket: `error`, or a close code of the protocol) or `BAD_INPUT`, `answer` is 200 without errors,
// `survive` is anything but a fault of the server's own.

import { gzipSync } from 'node:zlib';

const JSON_TYPE = 'application/json';
const VIEWER = '{ viewer { person { name } } }';
const MUTATION = 'mutation { createCompany(input: { name: "Mallory" }) { company { id } userErrors { code } } }';
// Just below the limit of a body.
const NEARLY = 250 * 1024;
const OVER = 1024 * 1024;

const repeat = (count, text) => Array.from({ length: count }, (_, index) => text(index)).join(' ');
const nested = (levels, open, inner, close) => open.repeat(levels) + inner + close.repeat(levels);

/** Fragments that each spread the next one twice: 2^levels fields. */
function fragmentBomb(levels) {
  const fragments = repeat(levels, (level) => `fragment f${level} on Query { ...f${level + 1} ...f${level + 1} }`);
  return `{ ...f0 } ${fragments} fragment f${levels} on Query { viewer { person { name } } }`;
}

/** The same with a response key of its own for each spread, so that nothing can be merged. */
function aliasBomb(levels) {
  const fragments = repeat(levels, (n) => `fragment g${n} on Ticket { a${n}: alerts { ticket { ...g${n + 1} } }
    b${n}: alerts { ticket { ...g${n + 1} } } }`);
  return `{ tickets(first: 100) { nodes { ...g0 } } } ${fragments} fragment g${levels} on Ticket { key }`;
}

/** Documents that are sent over all three transports. */
const DOCUMENTS = [
  ...[8, 16, 24, 32, 40].map((levels) => [`fragment bomb of ${levels} levels`, fragmentBomb(levels)]),
  ['1,000 aliases', `{ ${repeat(1_000, (n) => `a${n}: viewer { person { name } }`)} }`],
  ['nesting of 1,000 levels', nested(1_000, '{a', '', '}')],
  ['nesting of 50,000 levels', nested(50_000, '{a', '', '}')],
  ['10,000 directives on a field', `{ viewer ${'@skip(if:false) '.repeat(10_000)} { person { name } } }`],
];

/** Documents that are sent by POST only. */
const MORE_DOCUMENTS = [
  ['fragment bomb with aliases, 12 levels', aliasBomb(12)],
  ['fragments in a circle', '{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }'],
  ['a circle of 2,000 fragments', `{ ...f0 } ${repeat(2_000, (n) => `fragment f${n} on Query { ...f${(n + 1) % 2_000} }`)}`],
  ['a chain of 5,000 fragments', `{ ...f0 } ${repeat(5_000, (n) => `fragment f${n} on Query { ...f${n + 1} }`)}
    fragment f5000 on Query { viewer { person { name } } }`],
  ['7,000 fragments that nobody uses', `${VIEWER} ${repeat(7_000, (n) => `fragment f${n} on Query{viewer{x}}`)}`],
  ['10,000 operations', repeat(10_000, (n) => `query q${n}{viewer{x}}`)],
  ['10,000 variables', `query(${repeat(10_000, (n) => `$v${n}:Int`)}) ${VIEWER}`],
  ['inline fragments, 20,000 levels', `{ ${nested(20_000, '...{', 'viewer{person{name}}', '}')} }`],
  ['a list literal of 100,000 levels', `{ tickets(filter: ${nested(100_000, '[', '', ']')}) { totalCount } }`],
  ['an object literal of 40,000 levels', `{ tickets(filter: ${nested(40_000, '{a:', '1', '}')}) { totalCount } }`],
  ['a type of 100,000 levels', `query($v: ${nested(100_000, '[', 'Int', ']')}) ${VIEWER}`],
  ['a filter of 200 levels', `{ tickets(filter: ${nested(200, '{and:[', '{isOpen:true}', ']}')}) { totalCount } }`],
  ['a filter of 5,000 alternatives', `{ tickets(filter: {or:[${repeat(5_000, (n) => `{number:{eq:${n}}}`)}]}) { totalCount } }`],
  ['2,000 fields of one key, other arguments', `{ ${repeat(2_000, (n) => `a: node(id: "${n}") { id }`)} }`],
  ['3,000 equal fields', `{ ${repeat(3_000, () => 'viewer { person { name } }')} }`],
  ['equal fields, 2 × 2 × … 12 levels', nested(12, '{viewer{person{name}}', '', '}').replaceAll('}{', '}a:viewer{')],
  ['5,000 unknown directives', `{ viewer { person { name ${repeat(5_000, (n) => `@d${n}`)} } } }`],
  ['5,000 unknown fields', `{ ${repeat(5_000, (n) => `unknown${n}`)} }`],
  ['5,000 unknown arguments', `{ tickets(${repeat(5_000, (n) => `a${n}: 1`)}) { totalCount } }`],
  ['tickets of tickets of tickets', `{ tickets(first: 100) { nodes ${nested(6, '{ history { ticket ', '{ key }', '} }')} } }`],
  ['introspection of introspection', `{ __schema { types ${nested(8, '{ fields { type ', '{ name }', '} }')} } }`],
  ['a page of a billion', '{ tickets(first: 1000000000) { totalCount } }'],
  ['a negative page', '{ tickets(first: -1) { totalCount } }'],
  ['a number of 10,000 digits', `{ tickets(first: ${'9'.repeat(10_000)}) { totalCount } }`],
  ['a name of 250 KiB', `{ ${'a'.repeat(NEARLY)} }`],
  ['a string that never ends', `{ node(id: "${'a'.repeat(NEARLY)}`],
  ['a block string that never ends', `{ node(id: """${'\\"""'.repeat(30_000)}`],
  ['an unknown operation', `query a ${VIEWER} query b ${VIEWER}`],
];

/** Valid, and of no use: more of it than any document has. */
const IDLE_DOCUMENTS = [
  ['250 KiB of spaces', `${' '.repeat(NEARLY)}${VIEWER}`],
  ['250 KiB of commas', `${','.repeat(NEARLY)}${VIEWER}`],
  ['80,000 comments', `${'#\n'.repeat(80_000)}${VIEWER}`],
];

const post = (fields, headers = {}) => ({
  by: 'http',
  method: 'POST',
  headers: { 'content-type': JSON_TYPE, ...headers },
  body: Buffer.isBuffer(fields) || typeof fields === 'string' ? fields : JSON.stringify(fields),
});
const get = (parameters, headers = {}) => ({ by: 'http', method: 'GET', path: `?${new URLSearchParams(parameters)}`, headers });
const typed = (type, body) => ({ by: 'http', method: 'POST', headers: type ? { 'content-type': type } : {}, body });

/** Bodies, and variables. */
const BODIES = [
  ['a variable of 250 KiB', 'answer', post({ query: VIEWER, variables: { b: 'x'.repeat(NEARLY) } })],
  ['a search for 250 KiB', 'survive', post({
    query: 'query($s: String!) { tickets(filter: { subject: { contains: $s } }) { totalCount } }',
    variables: { s: 'x'.repeat(NEARLY) },
  })],
  ['a list of 80,000 ids', 'refuse', post({
    query: 'query($ids: [ID!]!) { tickets(filter: { companyId: { in: $ids } }) { totalCount } }',
    variables: { ids: Array(80_000).fill('') },
  })],
  ['variables of 10,000 levels', 'refuse', post(`{"query":"{__typename}","variables":{"a":${nested(10_000, '[', '', ']')}}}`)],
  ['extensions of 100,000 levels', 'refuse', post(`{"query":"{__typename}","extensions":${nested(40_000, '{"a":', '1', '}')}}`)],
  ['a body of 250 KiB of brackets', 'refuse', post('['.repeat(NEARLY))],
  ['15,000 keys', 'refuse', post(`{${repeat(15_000, (n) => `"k${n}":1,`)}"query":"{__typename}"}`)],
  ['an operationName of 250 KiB', 'refuse', post({ query: VIEWER, operationName: 'x'.repeat(NEARLY) })],
  ['a documentId that is none', 'refuse', post({ documentId: 'sha256:../../etc/passwd' })],
  ['a documentId that is unknown', 'refuse', post({ documentId: `sha256:${'0'.repeat(64)}` })],
  ['a documentId that is a number', 'refuse', post({ documentId: 7 })],
  ['a persisted query with a wrong hash', 'refuse', post({
    query: VIEWER,
    extensions: { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } },
  })],
  ['a batch of 1,000', 'refuse', post(JSON.stringify(Array(1_000).fill({ query: VIEWER })))],
  ['invalid UTF-8', 'refuse', post(Buffer.from('{"query":"{ node(id: \\"\xff\xfe\\") { id } }"}', 'latin1'))],
  ['half a surrogate', 'refuse', post('{"query":"{ node(id: \\"\\ud800\\") { id } }"}')],
  ['NUL in a filter', 'survive', post({
    query: 'query($s: String!) { tickets(filter: { subject: { contains: $s } }) { totalCount } }',
    variables: { s: 'a\u0000b' },
  })],
  ['NUL in a name', 'survive', post({
    query: 'mutation($n: String!) { createCompany(input: { name: $n }) { company { id } userErrors { code } } }',
    variables: { n: 'a\u0000b' },
  })],
  ['NUL in an id', 'survive', post({ query: '{ node(id: "ticket_\\u0000") { id } }' })],
  ['no body', 'refuse', post('')],
  ['a gzip bomb of 100 MiB', 'refuse', post(gzipSync(Buffer.alloc(100 << 20)), { 'content-encoding': 'gzip' })],
  ['an encoding that is unknown', 'refuse', post({ query: VIEWER }, { 'content-encoding': 'x-mallory' })],
  ['a body of 1 MiB', 'refuse', post(JSON.stringify({ query: VIEWER, variables: { a: 'x'.repeat(OVER) } }))],
  ['a body of 1 MiB in chunks', 'refuse', post(JSON.stringify({ query: VIEWER, variables: { a: 'x'.repeat(OVER) } }), {
    'transfer-encoding': 'chunked',
  })],
];

const evil = { origin: 'https://evil.example' };
const form = `query=${encodeURIComponent(MUTATION)}`;
const multipart = `--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${JSON.stringify({ query: MUTATION })}\r\n--x--\r\n`;

/** What a browser sends for another site, without asking first. */
const FORGED = [
  ['JSON as text/plain', typed('text/plain', JSON.stringify({ query: MUTATION }))],
  ['JSON without a type', typed(null, JSON.stringify({ query: MUTATION }))],
  ['JSON as application/graphql', typed('application/graphql', MUTATION)],
  ['JSON hidden in a parameter', typed('text/plain; application/json', JSON.stringify({ query: MUTATION }))],
  ['two types', typed('application/json, text/plain', JSON.stringify({ query: MUTATION }))],
  ['a form', typed('application/x-www-form-urlencoded', form)],
  ['a multipart form', typed('multipart/form-data; boundary=x', multipart)],
  ['a mutation by GET', get({ query: MUTATION })],
  ['a mutation by GET, for events', get({ query: MUTATION }, { accept: 'text/event-stream' })],
  ['a mutation by GET, in a POST without a body', { ...typed('text/plain', ''), path: `?${form}` }],
  ['a mutation by HEAD', { ...get({ query: MUTATION }), method: 'HEAD' }],
].map(([name, request]) => [`forged: ${name}`, { ...request, headers: { ...request.headers, ...evil } }]);

const raw = (text, rest = '') => ({ by: 'raw', text, rest });
const head = (...lines) => ['POST /graphql HTTP/1.1', 'Host: localhost', ...lines, '', ''].join('\r\n');
const typeLine = `Content-Type: ${JSON_TYPE}`;

/** What no library sends. */
const RAW = [
  ['a length of 10 GiB', raw(head(typeLine, `Content-Length: ${10 * 1024 ** 3}`))],
  ['a negative length', raw(head(typeLine, 'Content-Length: -1'))],
  ['a length and chunks', raw(head(typeLine, 'Content-Length: 4', 'Transfer-Encoding: chunked'), '0\r\n\r\n')],
  ['two lengths', raw(head(typeLine, 'Content-Length: 4', 'Content-Length: 5'), '{"a"}')],
  ['1,000 header lines', raw(head(typeLine, ...Array.from({ length: 1_000 }, (_, n) => `X-Mallory-${n}: x`)))],
  ['a header of 1 MiB', raw(head(typeLine, `X-Mallory: ${'x'.repeat(OVER)}`))],
  ['an address of 300 KiB', raw(`GET /graphql?query=${'x'.repeat(300 * 1024)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)],
  ['no HTTP', raw(`${'\u0016\u0003\u0001'.repeat(100)}\r\n\r\n`)],
];

const named = (must, [name, request]) => ({ name, must, ...request });

const ALL = [
  ...DOCUMENTS.map(([name, query]) => named('refuse', [name, post({ query })])),
  ...DOCUMENTS.filter(([, query]) => query.length < 16_384).map(([name, query]) => named('refuse', [`by GET: ${name}`, get({ query })])),
  ...DOCUMENTS.map(([name, query]) => named('refuse', [`by events: ${name}`, post({ query }, { accept: 'text/event-stream' })])),
  ...DOCUMENTS.map(([name, query]) => named('refuse', [`by socket: ${name}`, { by: 'socket', payload: { query } }])),
  ...MORE_DOCUMENTS.map(([name, query]) => named('refuse', [name, post({ query })])),
  ...IDLE_DOCUMENTS.map(([name, query]) => named('refuse', [name, post({ query })])),
  ...BODIES.map(([name, must, request]) => named(must, [name, request])),
  ...FORGED.map((row) => named('refuse', row)),
  ...RAW.map((row) => named('refuse', row)),
  named('refuse', ['by socket: variables of 10,000 levels', {
    by: 'socket',
    text: `{"type":"subscribe","id":"1","payload":{"query":"{__typename}","variables":{"a":${nested(10_000, '[', '', ']')}}}}`,
  }]),
  named('refuse', ['by socket: a message of 1 MiB', { by: 'socket', payload: { query: VIEWER, variables: { a: 'x'.repeat(OVER) } } }]),
  named('refuse', ['a socket of another site', { by: 'handshake', origin: 'https://evil.example' }]),
  named('refuse', ['a socket for each message, 200 of one token', { by: 'flood', count: 200 }]),
  named('refuse', ['a body at a byte a second', { by: 'slow', text: head(typeLine, 'Content-Length: 1000'), rest: '{' }]),
  named('refuse', ['a chunk of 2^63 bytes at a byte a second', {
    by: 'slow', text: `${head(typeLine, 'Transfer-Encoding: chunked')}7fffffffffffffff\r\n`, rest: '{',
  }]),
  named('refuse', ['headers at a byte a second', { by: 'slow', text: 'POST /graphql HTTP/1.1\r\nHost: localhost\r\n', rest: 'X' }]),
];

const wanted = new RegExp(process.env.CONFORMANCE_ONLY ?? '', 'i');

export const REQUESTS = ALL.filter(({ name }) => wanted.test(name));
