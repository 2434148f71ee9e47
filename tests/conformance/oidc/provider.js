// A real OpenID Connect provider on loopback, npm's `oidc-provider`. Usage: node provider.js PORT KEY_ID
//
// Its clients get tokens by their credentials, for the resource that they name. `login` has all that is needed, `brief` a
// token of a few seconds, `unverified` a mail address that nobody verified, `groupless` no groups.

import { generateKeyPairSync } from 'node:crypto';

import Provider from 'oidc-provider';

const CLIENTS = ['login', 'brief', 'unverified', 'groupless'];
const BRIEF_S = 3;

const [port, keyId] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...privateKey.export({ format: 'jwk' }), kid: keyId, use: 'sig', alg: 'ES256' };
const client = (id) => ({
  client_id: id,
  client_secret: 'for-tests-only',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_post',
  id_token_signed_response_alg: 'ES256',
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: CLIENTS.map(client),
  jwks: { keys: [key] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource, { clientId }) => ({
        scope: 'api',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: clientId === 'brief' ? BRIEF_S : 3600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: (_, { clientId }) => ({
    email: `${clientId}@example.org`,
    email_verified: clientId !== 'unverified',
    groups: clientId === 'groupless' ? [] : ['admins'],
  }),
});
provider.listen(Number(port), '127.0.0.1');
