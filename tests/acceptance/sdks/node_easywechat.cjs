// Makes the calls that come as JSON on standard input with node-easywechat, and prints what each returned or threw.
'use strict';

const MiniApp = require('node-easywechat/dist/MiniApp/Application');

const [host, id, key, cache] = process.argv.slice(2);
const app = new MiniApp({
  app_id: id,
  secret: key,
  use_stable_access_token: true,
  http: { baseURL: host + '/' },
  file_cache: { path: cache },
});

const verbs = {
  post: async (path, json) => (await app.getClient().post(path, { json })).toObject(),
  get: async (path, params) => (await app.getClient().get(path, { params })).toObject(),
  codeToSession: (code) => app.getUtils().codeToSession(code),
};

async function main() {
  const { calls } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const said = [];
  for (const [name, ...given] of calls) {
    try {
      said.push(await verbs[name](...given));
    } catch (fault) {
      said.push({ thrown: fault.name, errmsg: fault.message });
    }
  }
  process.stdout.write(JSON.stringify(said));
}

main();
