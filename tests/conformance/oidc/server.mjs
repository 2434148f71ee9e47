// A real OpenID Connect provider on loopback. Usage: node server.mjs PORT KEY_ID AUDIENCE
// Clients: `login` gets tokens of an hour, `brief` of one second, `unverified` a mail address that nobody verified.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, keyId, audience] = process.argv.slice(2);
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
  clients: ['login', 'brief', 'unverified'].map(client),
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
        accessTokenTTL: clientId === 'brief' ? 1 : 3600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: (_, token) => ({
    email: 'ada@example.com',
    email_verified: token.clientId !== 'unverified',
    groups: ['admins'],
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log(`listening for ${audience}`));
