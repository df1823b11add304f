// openid-client revokes a token at an endpoint, as the client that it is told to be.

import * as client from 'openid-client';
import { input, report } from './io.mjs';

const { endpoint, id, secret, method, token, hint } = input;

const methods = {
  none: () => client.None(),
  basic: () => client.ClientSecretBasic(secret),
  post: () => client.ClientSecretPost(secret),
};
const server = { issuer: new URL(endpoint).origin, revocation_endpoint: endpoint };
const config = new client.Configuration(server, id, undefined, methods[method]());
client.allowInsecureRequests(config);

try {
  await client.tokenRevocation(config, token, hint ? { token_type_hint: hint } : {});
  report({ revoked: true });
} catch (fault) {
  const { name, status, error, error_description: description } = fault;
  const schemes = name === 'WWWAuthenticateChallengeError' ? fault.cause.map(({ scheme }) => scheme) : undefined;
  report({ revoked: false, name, status, error, description, schemes });
}
