// The vendor's web-services SDK asks who the owner of a bearer token is, before and after a sign-out with that token.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';
import xhr2 from 'xhr2';
import { input, report } from './io.mjs';

const { base, token, signOut } = input;

// The bundle is made for browsers: it wants to run as a script, and finds its way around by `window` and `self`.
Object.assign(globalThis, { XMLHttpRequest: xhr2.XMLHttpRequest, window: globalThis, self: globalThis });
const bundle = createRequire(import.meta.url).resolve('@progress/sitefinity-webservices-sdk/dist/sitefinity-webservices-sdk.js');
vm.runInThisContext(readFileSync(bundle, 'utf8'), { filename: bundle });

const { Sitefinity } = globalThis.Sitefinity;
const sitefinity = new Sitefinity({ baseUrl: `${base}/api/default/` });
sitefinity.setToken({ type: 'Bearer', value: token });

function currentUser() {
  return new Promise((resolve) => {
    sitefinity.data({ entitySet: 'users/current' }).get({
      successCb: (data) => resolve({ user: data.value ?? data }),
      // The SDK hands over what stands in the answer's `error`, with the status added to it.
      failureCb: resolve,
    });
  });
}

const before = await currentUser();
const answer = await fetch(base + signOut, { headers: { Authorization: `Bearer ${token}` }, redirect: 'manual' });
report({
  before,
  signOut: { status: answer.status, location: answer.headers.get('location'), body: await answer.text() },
  after: await currentUser(),
});
