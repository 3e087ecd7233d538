// hook_cases.mjs - requests of all platforms, drawn at random, signed by hook_sign.mjs and judged by hook_run (the C
// code of das). TAP on stdout. SEED in the environment repeats what is drawn.
import { spawnSync } from 'node:child_process';
import { sign, keyPair, platforms, mattermostContext } from './hook_sign.mjs';

const runner = process.argv[2];
const rounds = Number(process.argv[3] ?? 40);
const seed = Number(process.env.SEED ?? 1766655104);
let state = seed >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const word = (n, letters) => Array.from({ length: n }, () => pick([...letters])).join('');
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const ANY = `${LETTERS} .,:;/+=&%<>"'\\\n\t{}[]äß€慢查询😀`;
const text = () => word(below(60), ANY);
// of any characters, no two alike, no white space around it
const secret = () => word(12, LETTERS) + text() + word(1, LETTERS);
const NOW = 1766655104;
const iso = (s) => new Date(s * 1000).toISOString();
const base64 = (n) => Buffer.from(Array.from({ length: n }, () => below(256))).toString('base64');

const WINDOWS = { slack: 300, feishu: 300, feishu_card: 300, dingtalk: 3600, wecom: 300, teams: 300, discord: 300, standard: 300,
  pagerduty: 300, grafana: 300 };
const ENCRYPTED = ['feishu', 'wecom'];
const COVERED = ['slack', 'feishu', 'feishu_card', 'teams', 'discord', 'github', 'standard', 'pagerduty', 'grafana'];

function configuration(platform) {
  const two = (f) => [f(), f()];
  const c = { platform };
  const keys = two(keyPair);
  if (['slack', 'dingtalk', 'github', 'pagerduty', 'grafana'].includes(platform)) c.secrets = two(secret);
  if (platform === 'teams') c.secrets = two(() => base64(32));
  if (platform === 'standard') c.secrets = [`whsec_${base64(24)}`, base64(16 + below(64))];
  if (['feishu', 'feishu_card', 'mattermost'].includes(platform)) c.tokens = two(secret);
  if (['wecom', 'telegram', 'alertmanager', 'cloudevents', 'bearer'].includes(platform)) c.tokens = two(() => word(12 + below(30), LETTERS));
  if (platform === 'feishu') c.encrypt_keys = two(secret);
  if (platform === 'wecom') Object.assign(c, { encrypt_keys: two(() => word(43, LETTERS)), receive_id: `ww${word(16, LETTERS)}` });
  if (platform === 'discord') c.public_keys = keys.map((k) => k.publicKey);
  if (platform === 'grafana' && below(4)) c.timestamp_header = 'X-Time';
  if (['alertmanager', 'cloudevents', 'bearer'].includes(platform)) Object.assign(c, { user: word(5, LETTERS), passwords: two(secret) });
  return [c, keys.map((k) => k.privateKey)];
}

// body, and what das should make of it: kind, id
function sample(c, now, which) {
  const id = word(1 + below(90), LETTERS);
  const alerts = Array.from({ length: 1 + below(5) }, () => ({ status: pick(['firing', 'resolved']), labels: { alertname: text() },
    annotations: { summary: text() }, startsAt: iso(now - below(1000)), fingerprint: word(16, '0123456789abcdef') }));
  const form = (o) => [new URLSearchParams({ ...o, x: text() }).toString()];
  const json = (o) => [JSON.stringify({ ...o, x: text() })];
  switch (c.platform) {
    case 'slack': return pick([
      () => [...form({ command: '/das', text: text(), trigger_id: id }), 'command', id],
      () => [...json({ type: 'event_callback', event_id: id, event: { type: 'app_mention', text: text() } }), 'message', id],
      () => { const payload = JSON.stringify({ type: 'block_actions', trigger_id: id, actions: [text()] }); return [...form({ payload }), 'button', id, payload]; }])();
    case 'feishu': return [...json({ schema: '2.0', header: { event_id: id, token: c.tokens[which], event_type: 'card.action.trigger' } }), 'button', id];
    case 'feishu_card': return [...json({ token: id, action: { tag: 'button', value: text() } }), 'button', id];
    case 'dingtalk': return [...json({ msgtype: 'text', text: { content: text() }, msgId: id }), 'message', id];
    case 'wecom': return [`<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[${text()}]]></Content><MsgId>${id}</MsgId></xml>`, 'message', id];
    case 'teams': return [...json({ type: 'message', id, timestamp: iso(now), text: text() }), 'message', id];
    case 'discord': return [...json({ id, type: 2, data: { name: 'das' } }), 'command', id];
    case 'mattermost': return below(2) ? [...form({ command: '/das', text: text(), trigger_id: id }), 'command', id]
      : [...json({ user_id: 'u', trigger_id: id, context: mattermostContext(c.tokens[which], text() || 'v') }), 'button', id];
    case 'telegram': { const n = below(1e9); return [...json({ update_id: n, callback_query: { data: text() } }), 'button', `${n}`]; }
    case 'standard': return [text(), 'event'];
    case 'pagerduty': return [...json({ event: { id, event_type: 'incident.triggered', occurred_at: iso(now), data: text() } }), 'alert', id];
    case 'grafana': case 'alertmanager': return [...json({ version: '4', status: 'firing', receiver: text(), alerts }), 'alert', alerts.length];
    case 'cloudevents': return [...json({ specversion: '1.0', id, source: `/${id}`, type: 't', data: text() }), 'event'];
    default: return [text(), 'event'];
  }
}

const cases = [];
const add = (name, conf, request, want) => cases.push({ name, want,
  line: { conf, now_ms: NOW * 1000 + 123, ...request, body: Buffer.from(request.body).toString('base64') } });

function draw(platform, round) {
  const [conf, privateKeys] = configuration(platform);
  const which = round % 2;
  const w = WINDOWS[platform] ?? 300;
  const now = NOW - w + below(2 * w + 1);
  const [body, kind, id, inner] = sample(conf, now, which);
  const o = { now, which, privateKeys, ms: 0, basic: below(2) === 1, button: body[0] === '{' };
  if (platform === 'cloudevents') o.headers = [['Content-Type', 'application/cloudevents+json']];
  const request = sign(conf, body, o);
  const what = `${platform} ${round}`;
  add(what, conf, request, { outcome: 'accepted', kind, id,
    body: platform === 'mattermost' && !o.button ? request.body : Buffer.from(inner ?? body) });
  if (COVERED.includes(platform) && request.body.length) {
    const changed = Buffer.from(request.body);
    changed[below(changed.length)] ^= 1 << below(8);
    add(`${what}, a bit of its body changed`, conf, { ...request, body: changed }, { outcome: 'refused' });
  }
  const [other] = configuration(platform);
  add(`${what}, for somebody else`, { ...other, ...(conf.timestamp_header ? { timestamp_header: conf.timestamp_header } : {}) }, request, { outcome: 'refused' });
  if (WINDOWS[platform] && (platform !== 'grafana' || conf.timestamp_header)) {
    const far = NOW + (below(2) ? w + 1 : -w - 1);
    const late = sign(conf, sample(conf, far, which)[0], { ...o, now: far });
    add(`${what}, at another time`, conf, late, { outcome: 'refused' });
  }
  if (round < 8) negatives(platform, what, conf, request, body, o);
  again(platform, what, conf, body, o);
  if (platform === 'wecom') {
    const echo = text() || 'e';
    add(`${what}, its question`, conf, sign(conf, echo, { ...o, echo: true }), { outcome: 'answered', answer: echo });
  }
}

// Signed anew, the same delivery has the same ids: so it is done once.
const pairs = [];
function again(platform, what, conf, body, o) {
  if (platform === 'github') return; // its id is drawn by who sends
  const fixed = { ...o, id: platform === 'standard' ? `msg_${what.replace(/\W/g, '')}` : o.id };
  for (let i = 0; i < 2; i++) add(`${what}, again`, conf, sign(conf, body, fixed), { outcome: 'accepted' });
  pairs.push([what, cases.length - 2, cases.length - 1]);
}

// Everything that must not get through, of one good request. o: how it was signed.
function negatives(platform, what, conf, request, body, o) {
  const no = (name, changed, c = conf) => add(`${what}, ${name}`, c, { ...request, ...changed }, { outcome: 'refused' });
  const headers = request.headers ?? [];
  const but = (i, value) => headers.map((h, k) => (k === i ? [h[0], value] : h));
  headers.forEach(([name, value], i) => {
    if (name === 'Content-Type' || name.startsWith('X-GitHub-')) return;
    no(`${name} is missing`, { headers: headers.filter((h, k) => k !== i) });
    no(`${name} is empty`, { headers: but(i, '') });
    no(`${name} is there twice`, { headers: [...headers, [name.toLowerCase(), value]] });
    no(`${name} is there twice, and differs`, { headers: [[name, `${value}x`], ...headers] });
    no(`${name} is cut`, { headers: but(i, value.slice(0, -1)) });
    no(`${name} is longer than anything`, { headers: but(i, value + 'a'.repeat(10000)) });
    // of several signatures one is enough
    if (platform !== 'pagerduty') no(`${name} has a letter more in front`, { headers: but(i, `v${value}`) });
    if (/signature|x-hub/i.test(name) && /[a-f]/.test(value)) no(`${name} in capitals`, { headers: but(i, value.toUpperCase()) });
  });
  no('by another method', { method: 'DELETE' });
  // only the other secret is left of two
  const rotated = { ...conf };
  for (const key of ['secrets', 'tokens', 'encrypt_keys', 'public_keys', 'passwords']) if (rotated[key]) rotated[key] = [conf[key][1 - o.which]];
  no('after its secret was taken out of use', {}, rotated);
  const resigned = (name, text, changed) => add(`${what}, ${name}`, conf, sign(conf, text, { ...o, ...changed }), { outcome: 'refused' });
  const json = o.button && !['bearer', 'standard', 'github'].includes(platform);
  if (json) resigned('no UTF-8 in it', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('",'), Buffer.from(body.slice(1))]));
  if (json) resigned('a key twice', body.replace(/^\{/, '{"type":"a","type":"b",'));
  if (json) resigned('cut off, and signed so', body.slice(0, -1));
  if (ENCRYPTED.includes(platform)) {
    resigned('encrypted with half a block missing', body, { damage: { cut: 8 } });
    resigned('encrypted with the last block missing', body, { damage: { cut: platform === 'wecom' ? 32 : 16 } });
    resigned('padded with zeros', body, { damage: { padding: (n) => Buffer.alloc(n) } });
    resigned('padded with too much', body, { damage: { padding: (n) => Buffer.alloc(n, 33) } });
    resigned('padded with what differs', body, { damage: { padding: (n) => Buffer.from([...Buffer.alloc(n - 1, n + 1), n === 1 ? 0 : n]) } });
  }
  if (platform === 'wecom') {
    for (const id of [`${conf.receive_id}x`, conf.receive_id.slice(1), '', `x${conf.receive_id.slice(1)}`]) resigned(`for "${id}"`, body, { receiveId: id });
    for (const name of ['msg_signature', 'timestamp', 'nonce']) {
      const [path, query] = request.target.split('?');
      const parts = query.split('&');
      no(`without ${name}`, { target: `${path}?${parts.filter((p) => !p.startsWith(`${name}=`)).join('&')}` });
      no(`${name} twice`, { target: `${path}?${query}&${parts.find((p) => p.startsWith(`${name}=`))}` });
    }
  }
  if (WINDOWS[platform] && (platform !== 'grafana' || conf.timestamp_header)) no('kept, and sent when its time is over', { now_ms: (o.now + WINDOWS[platform] + 1) * 1000 });
}

for (const platform of platforms) for (let round = 0; round < rounds; round++) draw(platform, round);

const run = spawnSync(runner, { input: cases.map((c) => `${JSON.stringify(c.line)}\n`).join(''), maxBuffer: 1 << 28 });
const verdicts = run.stdout.toString().split('\n').filter(Boolean).map((l) => JSON.parse(l));
let count = 0;
let failed = 0;
const ok = (good, name) => {
  console.log(`${good ? '' : 'not '}ok ${++count} - ${name.replace(/[#\n]/g, ' ')}`);
  failed += good ? 0 : 1;
};
console.log(`# SEED=${seed}, ${cases.length} requests`);
ok(run.status === 0 && verdicts.length === cases.length, `all were judged ${run.stderr}`);
for (const platform of platforms) {
  const wrong = [];
  let n = 0;
  cases.forEach((c, i) => {
    const v = verdicts[i];
    if (c.line.conf.platform !== platform || !v) return;
    n++;
    const good = v.outcome === c.want.outcome
      && (c.want.kind === undefined || v.kind === c.want.kind)
      && (typeof c.want.id !== 'string' || v.ids[0] === c.want.id)
      && (typeof c.want.id !== 'number' || v.ids.length === c.want.id)
      && (c.want.body === undefined || Buffer.from(v.body, 'base64').equals(c.want.body))
      && (c.want.answer === undefined || Buffer.from(v.answer, 'base64').toString() === c.want.answer);
    if (!good) wrong.push(`${c.name}: ${JSON.stringify(v)} of ${JSON.stringify(c.line)}`);
  });
  ok(n > 0 && wrong.length === 0, `${platform}: ${n} requests are judged as they were meant`);
  wrong.slice(0, 3).forEach((w) => console.log(`# ${w.slice(0, 1500)}`));
}
const apart = pairs.filter(([, a, b]) => JSON.stringify(verdicts[a]?.ids) !== JSON.stringify(verdicts[b]?.ids) || !verdicts[a]?.ids?.length);
ok(pairs.length > 0 && apart.length === 0, `${pairs.length} deliveries are known when they come again`);
apart.slice(0, 3).forEach(([what, a, b]) => console.log(`# ${what}: ${JSON.stringify(verdicts[a])} ${JSON.stringify(verdicts[b])}`));
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
