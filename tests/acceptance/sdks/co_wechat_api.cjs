// Makes the calls that come as JSON on standard input with co-wechat-api, and prints what each returned or threw.
'use strict';

const API = require('co-wechat-api');

const [host, id, key] = process.argv.slice(2);
const api = new API(id, key);
api.prefix = host + '/cgi-bin/';
api.snsPrefix = host + '/sns/';

async function main() {
  const { token, calls } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  if (token) {
    await api.saveToken({ accessToken: token, expireTime: Date.now() + 3600000 });
  }
  const said = [];
  for (const [name, ...given] of calls) {
    try {
      said.push(await api[name](...given));
    } catch (fault) {
      said.push({ thrown: fault.name, errcode: fault.code, errmsg: fault.message });
    }
  }
  process.stdout.write(JSON.stringify(said));
}

main();
