// An OpenID provider on loopback: panva's oidc-provider with its own pages for login and sign-out.
// It runs until its standard input ends. Lines of JSON say where it is, and then each logout token
// that it sends and what became of it.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

// It tells the console at length that its pages and its memory are not for production.
console.info = console.warn = () => {};
const { default: Provider } = await import('oidc-provider');

const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, 'line');
const { port, issuer: name, key, kid, clients } = JSON.parse(line);

function report(seen) {
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

const server = createServer();
server.listen(port, '127.0.0.1');
await once(server, 'listening');
const address = `http://127.0.0.1:${server.address().port}`;

// Without a given one it is fresh at each start, as after an exchange of keys.
const privateKey = key
  ? createPrivateKey(key)
  : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const signingKey = { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };

const provider = new Provider(name ?? address, {
  jwks: { keys: [signingKey] },
  clients: clients.map(({ id, secret, redirectUri, backchannelLogoutUri, postLogoutRedirectUris, withSid }) => ({
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirectUri],
    post_logout_redirect_uris: postLogoutRedirectUris,
    grant_types: ['authorization_code'],
    response_types: ['code'],
    backchannel_logout_uri: backchannelLogoutUri,
    backchannel_logout_session_required: withSid,
  })),
  cookies: { keys: ['for tests only'] },
  features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true } },
  pkce: { required: () => false },
  // Whatever is typed in is the subject.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com` }),
  }),
  // Its own way out refuses loopback addresses, which it would do here with the hub's.
  fetch: (address, { dispatcher, ...options }) => {
    const token = options.body instanceof URLSearchParams && options.body.get('logout_token');
    if (token) report({ sent: token, to: String(address) });
    return fetch(address, options);
  },
});
provider.on('backchannel.success', (_, client) => report({ accepted: client.clientId }));
provider.on('backchannel.error', (_, fault, client) =>
  report({ refused: client.clientId, fault: fault.message }));
provider.on('server_error', (_, fault) => process.stderr.write(`${fault.stack}\n`));
server.on('request', provider.callback());
report({ address, issuer: provider.issuer });

await once(lines, 'close');
process.exit();
