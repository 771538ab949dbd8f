// An OAuth server for the interop tests: oidc-provider with the clients that
// standard input describes in its first line. It says in one line of JSON where
// it listens, and ends when standard input does.
//
// oidc-provider finds a client's key by kid, which our assertions lack as
// Entra's own do: it tries each key of the right type. Entra goes by the
// certificate's thumbprint in the header. So the one addition here, made to be
// asked after the signature was verified, compares the thumbprints.

import { X509Certificate, createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider, { errors } from 'oidc-provider';

const input = createInterface({ input: process.stdin });
const { clients, scopes, audience, lifetime } = JSON.parse(
  await new Promise((resolve) => input.once('line', resolve)),
);
input.once('close', () => process.exit(0));

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

// thumbprint is RFC 7515 4.1.7 and 4.1.8.
const thumbprint = (hash, x5c) =>
  createHash(hash).update(new X509Certificate(Buffer.from(x5c, 'base64')).raw).digest('base64url');

async function checkThumbprint(ctx, claims, header, client) {
  const refuse = (detail) => { throw new errors.InvalidClientAuth(detail); };
  const known = client.jwks.keys.find(({ x5c }) => thumbprint('sha256', x5c[0]) === header['x5t#S256']);
  if (!known) refuse('no certificate has this x5t#S256');
  if (header.x5t !== undefined && header.x5t !== thumbprint('sha1', known.x5c[0])) refuse('x5t is of another certificate');
  if (header.typ !== 'JWT') refuse('typ is not JWT');
  if (claims.sub !== client.clientId) refuse('sub is not the client_id');
  if (!(claims.nbf <= claims.iat && claims.exp - claims.iat <= 600)) refuse('nbf, iat and exp do not fit');
}

const provider = new Provider(issuer, {
  clients,
  scopes,
  clientAuthMethods: ['private_key_jwt', 'client_secret_post'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256', 'RS256'] },
  assertJwtClientAuthClaimsAndHeader: checkThumbprint,
  clockTolerance: 0,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    // Access tokens are JWT for an audience, as Entra's are.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({
        scope: scopes.join(' '), audience, accessTokenTTL: lifetime, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

// The reply keeps to itself why a client was refused; the tests want to know.
provider.on('grant.error', (ctx, err) => ctx.set('X-Detail', err.error_detail ?? ''));
provider.on('server_error', (ctx, err) => console.error(err));

server.on('request', provider.callback());
console.log(JSON.stringify({ tokenURL: `${issuer}/token` }));
