// A relying party on loopback: Auth0's express-openid-connect in front of one page. It runs until
// its standard input ends. The package itself logs in (by openid-client), takes logout tokens and
// verifies them (by jose).

import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import express from 'express';
import openid from 'express-openid-connect';

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, 'line');
const { port, baseURL, provider, clientID, clientSecret } = JSON.parse(line);

// What express-session's stores have. Sessions are in the cookie; here are only the logins that
// have been ended.
const ended = new Map();
const store = {
  get: (name, done) => done(null, ended.get(name)),
  set: (name, entry, done) => done(null, ended.set(name, entry)),
  destroy: (name, done) => done(null, ended.delete(name)),
};

const app = express();
app.use(openid.auth({
  baseURL,
  clientID,
  clientSecret,
  clientAuthMethod: 'client_secret_basic',
  issuerBaseURL: provider.issuer,
  secret: 'a secret for the cookies of tests only',
  authorizationParams: { response_type: 'code', scope: 'openid' },
  enableTelemetry: false,
  backchannelLogout: { store },
  // The issuer has no login, so its document comes with that of another address added. Its keys
  // come from itself.
  customFetch: async (address, options) => {
    const isDiscovery = String(address).endsWith('/.well-known/openid-configuration');
    return isDiscovery ? Response.json(provider) : fetch(address, options);
  },
}));
app.get('/page', (request, response) => {
  const { sub, sid = '' } = request.oidc.idTokenClaims;
  response.set({ 'login-sub': sub, 'login-sid': sid }).send('in');
});

const server = createServer(app);
server.listen(port, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`${JSON.stringify({ listening: baseURL })}\n`);

await once(lines, 'close');
process.exit();
